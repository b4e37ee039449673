"""The judge of the other tests is judged: the writer and its checker on a real etcd on loopback."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.tools import ensure
from tests.support.loopback import LoopbackEtcd, loopback_etcd
from tests.support.stack import until
from tests.support.supervisor import when_possible
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
        until_written(writer, 20)
    return writer


def until_asked(endpoints: list[str]) -> None:
    """Wait until the writer has looked for a cluster, which is not there yet."""
    (url,) = endpoints
    with socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))) as nobody:
        nobody.settimeout(30)
        nobody.accept()[0].close()


def until_written(writer: Writer, count: int, since_ns: int = 0) -> None:
    """Wait until that many writes that began after a moment have been acknowledged."""
    writer.wait_until_writing()
    until(
        f"{count} acknowledged writes",
        lambda: sum(write["start_ns"] > since_ns for write in writer.writes()) >= count,
    )


def test_what_was_acknowledged_around_a_killed_leader_is_found_and_the_outage_is_measured(
    programs: dict[str, Path], etcd: LoopbackEtcd, tmp_path: Path
) -> None:
    with Writer(programs["writer"], etcd.endpoints(*ABC), tmp_path) as writer:
        until_asked(etcd.endpoints("a"))
        etcd.start(*ABC, cluster=ABC)
        until_written(writer, 100)
        leader = etcd.leader(ABC)
        killed_ns = time.time_ns()
        etcd.kill(leader)
        until_written(writer, 100, time.time_ns())
        again_ns = time.time_ns()
        etcd.start(leader, cluster=ABC)
        until_written(writer, 100, time.time_ns())
    summary = writer.summary()

    assert summary.acknowledged == len(writer.writes())
    assert summary.acknowledged >= 300
    assert summary.reads > 0
    assert summary.stale_reads == []
    # Losing the leader costs an election, which starts 1 s after its last heartbeat (0.1 s apart).
    assert writer.longest_gap(killed_ns, again_ns) > 0.5
    longest = writer.longest_gap(0, time.time_ns())
    assert summary.longest_gap_seconds == pytest.approx(longest, abs=0.001)
    assert summary.longest_gap_began_ns in {write["end_ns"] for write in writer.writes()}

    report = writer.check(etcd.endpoints(*ABC), wait_seconds=60)
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
        until("an error", lambda: any("error" in write for write in writer.attempts()))
        seen_ns = time.time_ns()
    summary = writer.summary()

    assert summary.longest_gap_seconds >= (seen_ns - writer.writes()[-1]["end_ns"]) / 1e9
    assert summary.failed > 0
    assert sum(summary.errors.values()) == summary.failed


def test_two_clusters_behind_one_service_are_seen_as_stale_reads(
    programs: dict[str, Path], etcd: LoopbackEtcd, tmp_path: Path
) -> None:
    etcd.start("a", cluster=["a"])
    etcd.start("stranger", cluster=["stranger"])
    # The client asks only those of its endpoints that have answered.
    until("both to be ready", lambda: etcd.is_ready("a") and etcd.is_ready("stranger"))
    with Writer(programs["writer"], etcd.endpoints("a", "stranger"), tmp_path) as writer:
        writer.wait_until_writing()
        # One of them may connect well after the other: each has the revisions of a cluster.
        until("writes to both", lambda: written_twice(writer) >= 100)

    assert writer.summary().stale_reads


def written_twice(writer: Writer) -> int:
    """How many revisions two writes have been acknowledged at."""
    revisions = [write["revision"] for write in writer.writes()]
    return len(revisions) - len(set(revisions))


def change(etcd: LoopbackEtcd, *command: str) -> None:
    """Return when all members have it: one that is late has no answer at its revision."""
    when_possible(lambda: etcd.ctl(*command, at=ABC))
    _, key, *value = command

    def has_it(name: str) -> bool:
        try:
            found = etcd.ctl("get", "--consistency=s", "--print-value-only", key, at=[name])
        except subprocess.SubprocessError:
            return False
        return found.split() == value

    for name in ABC:
        until(f"the change on {name}", lambda name=name: has_it(name))


def test_a_key_deleted_behind_the_writer_is_reported_by_name(
    written: Writer, etcd: LoopbackEtcd
) -> None:
    key = written.writes()[7]["key"]
    change(etcd, "del", key)
    report = written.check(etcd.endpoints(*ABC))

    assert report.missing == 3
    assert all(key in problem and "is missing" in problem for problem in report.problems)


def test_a_key_overwritten_behind_the_writer_is_reported(
    written: Writer, etcd: LoopbackEtcd
) -> None:
    key = written.writes()[7]["key"]
    change(etcd, "put", key, "other")

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

    def all_is_told() -> bool:
        """By one look, which may come while nobody leads."""
        problems = " | ".join(written.check(etcd.endpoints(*ABC), wait_seconds=0).problems)
        return (
            f"{etcd.endpoints(follower)[0]} at revision" in problems
            and "is a learner" in problems
            and "the list has 4 members, 3 endpoints were given" in problems
        )

    until("all to be reported", all_is_told)
