"""A unit's main loop with real etcd, on loopback: its ID is removed, replaced, or said to be."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from components.birth.volatile import holds_data
from containers.etcd.supervisor import kubernetes, observer, rules
from containers.etcd.supervisor import unit as unit_module
from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from containers.etcd.supervisor.disk import Volume
from containers.etcd.supervisor.membership import Status, View
from tests.support.answers import Reply, serving
from tests.support.joining import (
    Member,
    is_removed,
    not_wanted,
    take_the_lead,
    voting,
    wanted,
)
from tests.support.loopback import loopback_etcd
from tests.support.members import config as settings
from tests.support.supervisor import Watched, eventually, passes, running, when_possible
from tests.support.views import member as member_of
from tests.support.views import view


def test_a_disk_of_a_replaced_id_asks_whether_it_is_wanted_and_joins_anew(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume that comes back after its unit was given another one; here still as a learner, since
    without this unit's vote nobody could be asked."""
    monkeypatch.setattr(rules, "GATHER_SECONDS", 60.0)
    with member.running() as health:
        eventually("a learner", lambda: health.phase.startswith("learner"))
        eventually("its name", lambda: "etcd-0" in member.cluster.members())
        first = member.cluster.members()["etcd-0"]
    monkeypatch.setattr(rules, "GATHER_SECONDS", 0.0)
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
        when_possible(lambda: others.ctl("put", BIRTH_KEY, "the mark", at=["b"]))
        member.unit.settings["MEMBER_CLUSTER_URL"] = others.endpoints("b")[0]
        with member.running() as health:
            eventually("a voter", voting(health))
            known = member.unit.members()
            take_the_lead(member, partial(others.ctl, at=names))
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
            eventually("a new start", lambda: member.start_count() >= 2)
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
    monkeypatch.setattr(kubernetes, "wants", wanted)
    monkeypatch.setattr(observer, "read_view", read_view)
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
        eventually("etcd's own five seconds", lambda: is_removed(member.cluster, first))
        eventually("another ID", lambda: member.cluster.members().get("etcd-0", first) != first)
        eventually("a voter", voting(health))
        assert set(member.cluster.members()) == {"etcd-seed-0", "etcd-0"}


def test_one_that_was_removed_and_is_not_wanted_idles(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it was scaled away, until its pod ends."""
    with member.running() as health:
        eventually("a voter", voting(health))
        monkeypatch.setattr(kubernetes, "wants", not_wanted)
        mine = member.cluster.members()["etcd-0"]
        eventually("etcd's own five seconds", lambda: is_removed(member.cluster, mine))
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
        eventually("its name", lambda: "etcd-0" in member.cluster.members())
        first = member.cluster.members()["etcd-0"]
    etcd = member.starts.with_name("etcd")
    real = etcd.read_text()
    etcd.write_text("#!/bin/sh\nexec sleep 600\n")
    with member.running() as health:
        eventually("a learner", lambda: health.phase.startswith("learner"))
        passes(health, 4)
        etcd.write_text(real)
        eventually("its removal", lambda: is_removed(member.cluster, first))
        eventually("it to be told", lambda: "is not in the list" in health.phase)
        monkeypatch.setattr(rules, "GATHER_SECONDS", 0.0)
        eventually("a voter", voting(health))
        assert member.cluster.members()["etcd-0"] != first
        assert member.start_count() == 2
