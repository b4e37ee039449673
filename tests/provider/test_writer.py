"""The judge of the other tests is judged: the writer and its checker on a real etcd on loopback."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.tools import ensure
from tests.support.loopback import LoopbackEtcd, loopback_etcd
from tests.support.stack import until
from tests.support.writer import Writer

ABC = ("a", "b", "c")


@pytest.fixture(scope="module")
def programs() -> dict[str, Path]:
    return ensure(["etcd", "etcdctl", "writer"])


@pytest.fixture
def etcd(programs: dict[str, Path], tmp_path: Path) -> Iterator[LoopbackEtcd]:
    with loopback_etcd(programs, tmp_path, [*ABC, "stranger"]) as members:
        yield members


@pytest.fixture
def written(programs: dict[str, Path], etcd: LoopbackEtcd, tmp_path: Path) -> Writer:
    """A writer that has done its work on a healthy cluster of a, b and c."""
    etcd.start(*ABC, cluster=ABC)
    with Writer(programs["writer"], etcd.endpoints(*ABC), tmp_path) as writer:
        writer.wait_until_writing()
        time.sleep(0.5)
    return writer


def test_what_was_acknowledged_around_a_killed_leader_is_found_and_the_outage_is_measured(
    programs: dict[str, Path], etcd: LoopbackEtcd, tmp_path: Path
) -> None:
    with Writer(programs["writer"], etcd.endpoints(*ABC), tmp_path) as writer:
        time.sleep(0.5)  # the writer is there before the cluster
        etcd.start(*ABC, cluster=ABC)
        writer.wait_until_writing()
        time.sleep(1)
        leader = etcd.leader(ABC)
        killed_ns = time.time_ns()
        etcd.kill(leader)
        time.sleep(2.5)
        etcd.start(leader, cluster=ABC)
        time.sleep(0.5)
    summary = writer.summary()

    assert summary.acknowledged == len(writer.writes())
    assert summary.acknowledged > 300
    assert summary.reads > 30
    assert summary.stale_reads == []
    # Losing the leader costs an election, which starts 1 s after its last heartbeat (0.1 s apart).
    assert 0.5 < summary.longest_gap_seconds < 5
    assert summary.longest_gap_began_ns == pytest.approx(killed_ns, abs=200_000_000)
    seen_in_log = writer.longest_gap(killed_ns, time.time_ns())
    assert seen_in_log == pytest.approx(summary.longest_gap_seconds, abs=0.001)

    report = writer.check(etcd.endpoints(*ABC))
    assert report.problems == []
    assert report.acknowledged == summary.acknowledged
    assert sorted(member["name"] for member in report.membership) == list(ABC)
    assert all(member["keys"] >= summary.acknowledged for member in report.members)


def test_an_outage_that_lasts_to_the_end_is_a_gap(
    programs: dict[str, Path], etcd: LoopbackEtcd, tmp_path: Path
) -> None:
    etcd.start(*ABC, cluster=ABC)
    with Writer(programs["writer"], etcd.endpoints(*ABC), tmp_path) as writer:
        writer.wait_until_writing()
        etcd.kill("a", "b")
        time.sleep(1)
    summary = writer.summary()

    assert summary.longest_gap_seconds > 0.9
    assert summary.failed > 0
    assert sum(summary.errors.values()) == summary.failed


def test_two_clusters_behind_one_service_are_seen_as_stale_reads(
    programs: dict[str, Path], etcd: LoopbackEtcd, tmp_path: Path
) -> None:
    etcd.start("a", cluster=["a"])
    etcd.start("stranger", cluster=["stranger"])
    with Writer(programs["writer"], etcd.endpoints("a", "stranger"), tmp_path) as writer:
        writer.wait_until_writing()
        time.sleep(1)

    assert writer.summary().stale_reads


def test_a_key_deleted_behind_the_writer_is_reported_by_name(
    written: Writer, etcd: LoopbackEtcd
) -> None:
    key = written.writes()[7]["key"]
    etcd.ctl("del", key, at=ABC)
    report = written.check(etcd.endpoints(*ABC))

    assert report.missing == 3
    assert all(key in problem and "is missing" in problem for problem in report.problems)


def test_a_key_overwritten_behind_the_writer_is_reported(
    written: Writer, etcd: LoopbackEtcd
) -> None:
    key = written.writes()[7]["key"]
    etcd.ctl("put", key, "other", at=ABC)

    assert "other" in written.check(etcd.endpoints(*ABC)).problems[0]


def test_a_member_without_the_keys_is_reported_though_the_majority_has_every_key(
    programs: dict[str, Path], written: Writer, etcd: LoopbackEtcd, tmp_path: Path
) -> None:
    etcd.start("stranger", cluster=["stranger"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with Writer(programs["writer"], etcd.endpoints("stranger"), elsewhere, rate=1000) as other:
        other.wait_until_writing()
        # The members are compared at a revision that all have: the stranger must be well ahead.
        enough = 2 * max(write["revision"] for write in written.writes())
        until("the stranger is ahead", lambda: any(w["revision"] > enough for w in other.writes()))
    report = written.check(etcd.endpoints("a", "b", "stranger"))

    assert report.missing == report.acknowledged
    (stranger,) = etcd.endpoints("stranger")
    assert any(stranger in problem for problem in report.problems), report.problems
    # Two clusters' revisions run apart: one of them may not have reached the other's.
    told = ("differ", "required revision is a future revision")
    assert any(word in problem for word in told for problem in report.problems), report.problems


def test_a_silent_member_and_a_learner_are_reported(written: Writer, etcd: LoopbackEtcd) -> None:
    follower = next(name for name in ABC if name != etcd.leader(ABC))

    def added() -> bool:
        try:
            etcd.ctl(
                "member", "add", "late", "--learner", "--peer-urls", "http://127.0.0.1:9", at=ABC
            )
        except subprocess.CalledProcessError as error:
            if "unhealthy cluster" not in error.stderr:
                raise
            return False
        return True

    until("etcd to know the voters for long enough", added)
    etcd.kill(follower)
    problems = " | ".join(written.check(etcd.endpoints(*ABC), wait_seconds=0).problems)

    assert f"{etcd.endpoints(follower)[0]} at revision" in problems
    assert "is a learner" in problems
    assert "the list has 4 members, 3 endpoints were given" in problems
