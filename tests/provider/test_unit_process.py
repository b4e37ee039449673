"""A unit's main loop with real etcd, on loopback: what goes wrong around it while it joins or runs.

The cluster that it joins is a member like the discovery service's. Kubernetes' answer is given,
since its address in a pod is fixed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from components.birth.volatile import holds_data
from containers.etcd.supervisor import health as health_module
from containers.etcd.supervisor import kubernetes, rules, stuck
from containers.etcd.supervisor import unit as unit_module
from containers.etcd.supervisor.birth import BIRTH_KEY
from containers.etcd.supervisor.config import from_environment
from containers.etcd.supervisor.disk import Volume
from containers.etcd.supervisor.etcdctl import read_view
from containers.etcd.supervisor.membership import History, Status, View, observe
from lab.tools import ensure
from tests.support.answers import Reply, serving
from tests.support.loopback import LoopbackEtcd, loopback_etcd
from tests.support.members import config as settings
from tests.support.supervisor import (
    Supervisor,
    Watched,
    eventually,
    passes,
    running,
    supervisors,
)
from tests.support.views import member as member_of
from tests.support.views import view


@dataclass
class Member:
    """A unit that can be run, and the cluster that it joins."""

    programs: dict[str, Path]
    cluster: Supervisor
    unit: Supervisor
    volume: Path
    starts: Path
    """One line for each start of the unit's etcd."""

    def running(self, stop: Event | None = None) -> AbstractContextManager[Watched]:
        config = from_environment(self.unit.settings)
        return running(config, Watched(config.metrics_port), stop=stop)

    def start_count(self) -> int:
        return len(self.starts.read_text().splitlines()) if self.starts.exists() else 0


@pytest.fixture
def member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Member]:
    programs = ensure(["etcd", "etcdctl"])
    with supervisors() as known:
        cluster = Supervisor(programs, tmp_path / "cluster", "etcd-seed-0", role="discovery")
        known.append(cluster)
        cluster.start()
        eventually("the cluster to be ready", lambda: cluster.ready)
        cluster.ctl("put", BIRTH_KEY, "the mark")
        unit = Supervisor(
            programs,
            tmp_path / "unit",
            "etcd-0",
            cluster_url=cluster.url,
            quota_bytes=str(4 * 1024**2),
        )
        starts = tmp_path / "starts"
        wrapper = tmp_path / "etcd"
        # The supervisor takes members' names from those in DNS, and here there are none.
        wrapper.write_text(
            f'#!/bin/sh\necho "$*" >> {starts}\n'
            f"exec {programs['etcd']} "
            f'$(echo "$*" | sed -E \'s|127={unit.peer_url}|{unit.name}={unit.peer_url}|; '
            "s|127=(http://127[.]0[.]0[.]1:([0-9]+))|peer\\2=\\1|g')\n"
        )
        wrapper.chmod(0o755)
        path = (str(tmp_path), str(programs["etcdctl"].parent), os.environ["PATH"])
        monkeypatch.setenv("PATH", os.pathsep.join(path))
        monkeypatch.setattr(kubernetes, "wants", _wanted)
        # Nothing here is about how long a voter must be well: that is tests/unit/test_rules.py.
        monkeypatch.setattr(rules, "SETTLE_SECONDS", 0.5)
        monkeypatch.setattr(unit_module, "ELSEWHERE_SECONDS", 0)
        yield Member(programs, cluster, unit, tmp_path / "unit", starts)


VALUE = "x" * 100_000


def _wanted(_namespace: str, _stateful_set: str, _ordinal: int, **_how: Any) -> bool:
    return True


def _gone(_namespace: str, _stateful_set: str, _ordinal: int, **_how: Any) -> None:
    return None


def _not_wanted(_namespace: str, _stateful_set: str, _ordinal: int, **_how: Any) -> bool:
    return False


def voting(health: Watched) -> Callable[[], bool]:
    return lambda: health.phase == "running as a voter"


def test_a_kubelet_that_asks_nobody_ends_no_etcd(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while it is restarted: the unit follows a leader that it reaches, and serves."""
    monkeypatch.setattr(stuck, "APART_SECONDS", 0.1)
    with member.running() as health:
        eventually("a voter", voting(health))
        eventually("etcd to be ready", health.ready)
        passes(health, 2)
        monkeypatch.setattr(health_module, "FRESH_SECONDS", 0.1)
        eventually("the answer to be old", lambda: health.ready_seconds() == 0)
        passes(health, 4)
        assert member.start_count() == 1


SERVES = "serving until clients are led elsewhere"


@pytest.mark.parametrize(
    ("wants", "stays"),
    [
        pytest.param(_wanted, True, id="a restart"),
        pytest.param(_not_wanted, False, id="scaled away by hand"),
    ],
)
def test_a_unit_that_is_told_to_stop_serves_until_clients_are_led_elsewhere(
    wants: Callable[..., bool], stays: bool, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_module, "ELSEWHERE_SECONDS", 6)
    stop = Event()
    with member.running(stop) as health:
        eventually("a voter", voting(health))
        monkeypatch.setattr(kubernetes, "wants", wants)
        stop.set()
        eventually("it to go on", lambda: health.phase == SERVES)
        assert member.unit.ctl("get", "--print-value-only", BIRTH_KEY).strip() == "the mark"
        assert len(member.cluster.members()) == 2
    left = "leaving the membership: scaled down" in health.phases
    assert left is not stays


@pytest.mark.parametrize("why", ["its StatefulSet goes", "nobody else is there"])
def test_a_unit_serves_on_only_where_clients_can_go_elsewhere(
    why: str, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_module, "ELSEWHERE_SECONDS", 6)
    with member.running() as health:
        eventually("a voter", voting(health))
        if why == "its StatefulSet goes":
            monkeypatch.setattr(kubernetes, "wants", _gone)
        else:
            other = member.unit.members()[member.cluster.name]
            eventually("etcd's own five seconds", lambda: _is_removed(member.unit, other))
    assert SERVES not in health.phases


def test_no_id_is_used_up_where_it_cannot_be_noted(member: Member) -> None:
    (member.volume / "probe.tmp").mkdir()
    with member.running() as health:
        eventually("the unit to say why", lambda: "Is a directory" in health.phase)
        passes(health, 3)
        assert set(member.cluster.members()) == {"etcd-seed-0"}
        (member.volume / "probe.tmp").rmdir()
        eventually("a voter", voting(health))


def test_a_disk_without_room_for_a_note_ends_no_etcd(member: Member) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
        member.cluster.ctl("put", "key", "so that there is another revision to be noted")
    (member.volume / "identity.tmp").mkdir()
    (member.volume / "removed-9").mkdir()
    with member.running() as health:
        eventually("a voter", voting(health))
        passes(health, 3)
        assert member.start_count() == 2
        assert not (member.volume / "removed-9").exists(), "what takes the room is the first to go"
        assert member.unit.ctl("get", "key")


def test_a_unit_that_began_without_the_others_does_not_serve_another_cluster(
    member: Member,
) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
        known = set(member.cluster.members().values())
    identity = member.volume / "identity.json"
    noted = json.loads(identity.read_text())
    identity.write_text(json.dumps({**noted, "cluster_id": 7}))
    member.cluster.stop()
    with member.running() as health:
        # Nobody answers without a quorum: it starts on its data, and asks later.
        eventually("its etcd", lambda: member.start_count() == 2)
        member.cluster.start()
        eventually("the refusal", lambda: "not serving: the data here belongs to" in health.phase)
        passes(health, 2)
        assert not health.ready()
        assert json.loads(identity.read_text())["cluster_id"] == 7, "the evidence stays"
        identity.write_text(json.dumps(noted))
        eventually("a voter", voting(health))
        eventually("to serve again", health.ready)
        assert set(member.cluster.members().values()) == known


def take_another_clusters_data(member: Member) -> None:
    """Such as a snapshot that was restored by hand: one member, and so a quorum of its own."""
    with supervisors() as known:
        other = Supervisor(member.programs, member.volume / "of", "etcd-9", role="discovery")
        known.append(other)
        other.start()
        eventually("another cluster's data", lambda: other.ready)
    shutil.rmtree(member.volume / "data", ignore_errors=True)
    shutil.move(member.volume / "of" / "data", member.volume / "data")


def never_serves_before(phase: str, health: Watched) -> None:
    """Return when that is the phase, and later. AssertionError as soon as it is ready."""

    def is_refused() -> bool:
        assert not health.ready(), health.phase
        return phase in health.phase

    eventually(f"the phase to be {phase}", is_refused)
    passes(health, 2)
    assert not health.ready()


def test_a_disk_of_a_cluster_that_nobody_knows_does_not_serve_beside_the_one_that_answers(
    member: Member,
) -> None:
    """Somebody else's data, on a volume that has a unit's name: no note of it, and a quorum."""
    take_another_clusters_data(member)
    assert not (member.volume / "identity.json").exists()
    with member.running() as health:
        eventually("its etcd", lambda: member.start_count() == 1)
        never_serves_before("not serving: the data here is of cluster", health)
        assert set(member.cluster.members()) == {"etcd-seed-0"}


@contextmanager
def three_others(member: Member, directory: Path) -> Generator[LoopbackEtcd]:
    """A cluster in the place of the usual one that is a quorum without the unit, and answers."""
    names = ["a", "b", "c"]
    with loopback_etcd(member.programs, directory, names) as others:
        others.start(*names, cluster=names)
        eventually("the others", lambda: others.is_ready("b"))
        others.ctl("put", BIRTH_KEY, "the mark", at=["b"])
        member.unit.settings["MEMBER_CLUSTER_URL"] = others.endpoints("b")[0]
        yield others


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "not noted"])
def test_another_clusters_data_does_not_serve_at_the_address_of_a_voter(
    member: Member, tmp_path: Path, noted: bool
) -> None:
    """The list knows the address, and a note that is left on the disk names the listed ID."""
    with three_others(member, tmp_path):
        with member.running() as health:
            eventually("a voter", voting(health))
        identity = member.volume / "identity.json"
        note = identity.read_text()
        take_another_clusters_data(member)
        if not noted:
            identity.unlink()
        with member.running() as health:
            never_serves_before("not serving: the data here is of member", health)
            assert (identity.read_text() if identity.exists() else "") == (note if noted else "")


def test_another_clusters_data_does_not_serve_at_the_address_of_a_learner(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "GATHER_SECONDS", 60.0)
    with member.running() as health:
        eventually("a learner", lambda: health.phase.startswith("learner"))
    take_another_clusters_data(member)
    with member.running() as health:
        never_serves_before("learner: ", health)
        passes(health, 4)
        assert not health.ready()


def test_another_clusters_data_does_not_serve_on_a_disk_that_is_noted_where_nobody_answers(
    member: Member,
) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
    take_another_clusters_data(member)
    member.cluster.stop()
    with member.running() as health:
        never_serves_before("not serving: the data here is of member", health)


def test_a_unit_whose_note_is_lost_serves_again(member: Member, tmp_path: Path) -> None:
    with three_others(member, tmp_path):
        with member.running() as health:
            eventually("a voter", voting(health))
        identity = member.volume / "identity.json"
        note = json.loads(identity.read_text())
        identity.unlink()
        with member.running() as health:
            eventually("a voter", voting(health))
            eventually("to serve again", health.ready)
            assert json.loads(identity.read_text())["member_id"] == note["member_id"]


def test_a_unit_that_refuses_looks_seldom_and_starts_once_its_note_is_mended(
    member: Member,
) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
    identity = member.volume / "identity.json"
    noted = json.loads(identity.read_text())
    identity.write_text(json.dumps({**noted, "peer_url": "http://etcd-7:2380"}))
    member.cluster.stop()
    with member.running() as health:
        eventually("the refusal", lambda: health.phase.startswith("refusing to start"))
        before = len(health.phases)
        time.sleep(3)
        assert len(health.phases) - before <= 3, "each look takes the processor from others"
        assert health.status()["failed"] is False, "it may run as it is, with another note"
        identity.write_text(json.dumps(noted))
        eventually("its etcd", lambda: member.start_count() == 2)


def test_a_disk_of_a_replaced_id_asks_whether_it_is_wanted_and_joins_anew(member: Member) -> None:
    """A volume that comes back after its unit was given another one; here still as a learner, since
    without this unit's vote nobody could be asked."""
    with member.running() as health:
        eventually("a learner", lambda: health.phase.startswith("learner"))
    first = member.cluster.members()["etcd-0"]
    (member.volume / "identity.json").write_text(
        json.dumps({**json.loads((member.volume / "identity.json").read_text()), "member_id": 9})
    )
    with member.running() as health:
        eventually("a voter", voting(health))
        assert member.unit.members()["etcd-0"] != first
        assert not (member.volume / "removed-9").exists(), "no longer than until it votes"


MISMATCH = Reply(403, "cannot process message to mismatch member\n")
"""What another member says that has got a peer's address."""


def test_a_leader_that_ends_with_0_and_is_listed_goes_on_as_the_same_member(
    member: Member, tmp_path: Path
) -> None:
    """The others, one of which is away, are a quorum without it, and answer."""
    names = ["a", "b", "c", "d"]
    with loopback_etcd(member.programs, tmp_path, names) as others:
        others.start(*names, cluster=names)
        eventually("the others", lambda: others.is_ready("b"))
        others.ctl("put", BIRTH_KEY, "the mark", at=["b"])
        member.unit.settings["MEMBER_CLUSTER_URL"] = others.endpoints("b")[0]
        with member.running() as health:
            eventually("a voter", voting(health))
            known = member.unit.members()
            leader = others.leader(names)
            others.ctl("move-leader", f"{known['etcd-0']:x}", at=[leader])
            others.kill("a")
            mistaken = replace(MISMATCH, only_to=f"{known['etcd-0']:x}")
            with serving(mistaken, others.peer_port("a")):
                eventually("etcd to end", lambda: "ended with 0" in health.phase)
            eventually("a new start", lambda: member.start_count() > 1)
            eventually("a voter", voting(health))
            eventually("to serve again", health.ready)
            assert member.unit.members() == known
            assert list(member.volume.glob("removed-*")) == []


def test_one_that_ended_with_0_where_nobody_answers_is_started_again_and_again(
    member: Member,
) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
        known = member.cluster.members()
        member.cluster.stop()
        with serving(MISMATCH, int(member.cluster.peer_url.rpartition(":")[2])):
            eventually("etcd to end", lambda: "ended with 0" in health.phase)
            eventually("a new start", lambda: member.start_count() == 2)
            eventually("its end", lambda: "ended with 0" in health.phase)
        member.cluster.start()
        eventually("a voter", voting(health))
        eventually("to serve again", health.ready)
        assert member.cluster.members() == known


@contextmanager
def old_id(
    directory: Path, monkeypatch: pytest.MonkeyPatch, *, noted: bool
) -> Generator[tuple[Watched, Volume]]:
    """A unit that began while nobody answered, on the data of ID 9, and whose etcd says that it is
    ready; the list that it sees then has ID 1 at its address. `noted`: whether its disk says which
    ID the data is of."""
    etcd = directory / "etcd"
    etcd.write_text("#!/bin/sh\nexec sleep 600\n")
    etcd.chmod(0o755)
    volume = Volume(directory / "unit")
    log = directory / "unit" / "data" / "member" / "wal" / "0.wal"
    log.parent.mkdir(parents=True)
    log.touch()
    known = [member_of(i, f"etcd-{i - 1}") for i in (1, 2, 3)]
    before = view([replace(known[0], id=9), *known[1:]])
    if noted:
        volume.write_identity(before, before.members[0])
    seen: list[View | None] = [None]

    def read_view(_url: str) -> View | None:
        return seen[0]

    def read_birth(_url: str) -> str:
        return ""

    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(kubernetes, "wants", _wanted)
    monkeypatch.setattr(unit_module, "read_view", read_view)
    monkeypatch.setattr(unit_module, "read_birth", read_birth)
    monkeypatch.setattr(rules, "UNLISTED_SECONDS", 1.0)
    with (
        serving(Reply(200)) as ready,
        running(settings(directory / "unit"), Watched(ready.port)) as health,
    ):
        eventually("etcd to run", lambda: health.phase.startswith("running; no cluster"))
        seen[0] = view(known, silent=[1])
        yield health, volume


def test_an_old_id_at_the_address_of_a_listed_one_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with old_id(tmp_path, monkeypatch, noted=True) as (health, volume):
        eventually("it to be told", lambda: "not in the list under this ID" in health.phase)
        assert volume.read().member_id == 9
        eventually("its data aside", (tmp_path / "unit" / "removed-9").exists)


def test_an_old_id_of_which_nothing_is_noted_is_not_noted_as_the_listed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be started for ever as the other. etcd alone can say that it is not that one."""
    with old_id(tmp_path, monkeypatch, noted=False) as (health, volume):
        eventually("it to be told", lambda: "does not answer as 1 yet" in health.phase)
        passes(health, 2)
        assert volume.read().member_id is None


def test_an_old_id_that_answers_serves_nobody_at_the_address_of_a_listed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_status(_url: str) -> Status | None:
        return view([member_of(9, "etcd-0")]).statuses[9]

    monkeypatch.setattr(unit_module, "read_status", read_status)
    with old_id(tmp_path, monkeypatch, noted=False) as (health, volume):
        passes(health, 3)
        assert not health.ready()
        assert "not serving: the data here is of member 9" in health.phase
        assert volume.read().member_id is None


def test_one_that_was_removed_joins_as_another_and_leaves_nothing_behind(member: Member) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
        first = member.cluster.members()["etcd-0"]
        eventually("etcd's own five seconds", lambda: _is_removed(member.cluster, first))
        eventually("another ID", lambda: member.cluster.members().get("etcd-0", first) != first)
        eventually("a voter", voting(health))
        assert set(member.cluster.members()) == {"etcd-seed-0", "etcd-0"}


def test_one_that_was_removed_and_is_not_wanted_idles(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it was scaled away, until its pod ends."""
    with member.running() as health:
        eventually("a voter", voting(health))
        monkeypatch.setattr(kubernetes, "wants", _not_wanted)
        mine = member.cluster.members()["etcd-0"]
        eventually("etcd's own five seconds", lambda: _is_removed(member.cluster, mine))
        eventually("the unit to wait", lambda: "not known to be wanted" in health.phase)
        passes(health, 4)
        assert member.start_count() == 1
        assert holds_data(health.status()), "though it waits"
        assert set(member.cluster.members()) == {"etcd-seed-0"}


def test_an_etcd_that_nobody_tells_of_its_removal_is_ended_and_the_unit_joins_anew(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the place of one that was started again before it had applied anything, and so knows no
    other member: one that does nothing at all."""
    monkeypatch.setattr(rules, "UNLISTED_SECONDS", 3.0)
    monkeypatch.setattr(rules, "GATHER_SECONDS", 60.0)
    with member.running() as health:
        eventually("a learner", lambda: health.phase.startswith("learner"))
        first = member.cluster.members()["etcd-0"]
    etcd = member.starts.with_name("etcd")
    real = etcd.read_text()
    etcd.write_text("#!/bin/sh\nexec sleep 600\n")
    with member.running() as health:
        eventually("a learner", lambda: health.phase.startswith("learner"))
        passes(health, 4)
        etcd.write_text(real)
        assert _is_removed(member.cluster, first)
        eventually("it to be told", lambda: "is not in the list" in health.phase)
        monkeypatch.setattr(rules, "GATHER_SECONDS", 0.0)
        eventually("a voter", voting(health))
        assert member.cluster.members()["etcd-0"] != first
        assert member.start_count() == 2


def test_an_alarm_is_named_and_ends_as_the_runbook_says(member: Member) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
        eventually("the database to be full", lambda: not _is_put(member.unit))
        seen = read_view(member.cluster.url)
        assert seen is not None
        reason = rules.unsettled(seen, observe(History(), seen, 0.0), 0.0)
        assert "alarm:NOSPACE" in (reason or "")

        status = json.loads(member.unit.ctl("endpoint", "status", "-w", "json"))
        revision = status[0]["Status"]["header"]["revision"]
        member.unit.ctl("compact", "--physical", str(revision))
        for each in (member.unit, member.cluster):
            each.ctl("defrag")
        member.unit.ctl("alarm", "disarm")
        assert _is_put(member.unit)
        seen = read_view(member.cluster.url)
        assert seen is not None
        assert [s.errors for s in seen.statuses.values()] == [(), ()]


def test_a_full_database_keeps_no_unit_away(member: Member) -> None:
    """Whose disk was lost, say, in the night: etcd refuses to write keys then, and nothing else."""
    member.cluster.stop()
    member.cluster.env["ETCD_QUOTA_BACKEND_BYTES"] = str(4 * 1024**2)
    member.cluster.start()
    eventually("the cluster to be ready", lambda: member.cluster.ready)
    eventually("the database to be full", lambda: not _is_put(member.cluster))
    with member.running() as health:
        eventually("a voter", voting(health))
        eventually("to serve", health.ready)
        assert not _is_put(member.unit), "the alarm stands"


def test_the_log_of_large_values_is_let_go_by_a_snapshot(member: Member) -> None:
    """A file that etcd holds stays on the disk, however many there are; with its own default these
    would be held until there are 10 000 entries."""
    member.unit.settings |= {"MEMBER_QUOTA_BYTES": str(1024**3), "MEMBER_SNAPSHOT_COUNT": "10"}
    with member.running() as health:
        eventually("a voter", voting(health))
        first = member.volume / "data" / "member" / "wal" / f"{0:016x}-{0:016x}.wal"
        assert _is_held(first)
        for _ in range(80):  # a file of the log has 64 MiB
            member.unit.ctl("put", "key", stdin=VALUE * 10)
        eventually("the first file to be let go", lambda: not _is_held(first))


def _is_removed(cluster: Supervisor, member_id: int) -> bool:
    try:
        cluster.ctl("member", "remove", f"{member_id:x}")
    except subprocess.CalledProcessError:
        return False
    return True


def _is_held(file: Path) -> bool:
    with file.open("r+b") as opened:
        try:
            fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _is_put(unit: Supervisor) -> bool:
    try:
        unit.ctl("put", "key", VALUE)
    except subprocess.CalledProcessError as error:
        if "database space exceeded" not in error.stderr:
            raise
        return False
    return True
