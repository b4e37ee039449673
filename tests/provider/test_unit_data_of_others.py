"""A unit's main loop with real etcd, on loopback: data on its disk that is of another cluster, and
notes that say so, rightly or not."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from containers.etcd.supervisor import observer, rules
from containers.etcd.supervisor.main_loop import IDLE_SECONDS
from tests.support.joining import Member, never_serves_before, three_others, voting
from tests.support.supervisor import Supervisor, eventually, passes, supervisors


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


def nobody(_url: str) -> None:
    return None


def test_a_unit_that_refuses_looks_seldom_and_starts_once_its_note_is_mended(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
    identity = member.volume / "identity.json"
    noted = json.loads(identity.read_text())
    identity.write_text(json.dumps({**noted, "peer_url": "http://etcd-7:2380"}))
    member.cluster.stop()
    with member.running() as health:
        eventually("the refusal", lambda: health.phase.startswith("refusing to start"))
        # A look at where nobody is takes long here, or none: the pauses alone are to be counted.
        monkeypatch.setattr(observer, "read_view", nobody)
        passes(health, 1)
        began = time.monotonic()
        passes(health, 4)
        # The first of them may come at once; a slow machine only adds to the pauses.
        took = time.monotonic() - began
        assert took >= 3 * IDLE_SECONDS - 0.1, "each look takes the processor from others"
        assert health.status()["failed"] is False, "it may run as it is, with another note"
        identity.write_text(json.dumps(noted))
        eventually("its etcd", lambda: member.start_count() == 2)
