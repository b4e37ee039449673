"""The leader's unit and the birth mark, a key that a client can delete, with real etcd."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from containers.etcd.supervisor import upkeep
from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from containers.etcd.supervisor.disk import Volume
from containers.etcd.supervisor.etcdctl import EtcdctlError, read_birth, write_birth
from tests.support.joining import Member, take_the_lead, voting
from tests.support.supervisor import Watched, eventually, passes, told, when_possible

COPIED = '{"clusterId": "abc", "token": "t", "born": 1}'
"""Of another cluster, whose keys were copied here."""


def marked(member: Member) -> str:
    """Give the cluster its mark, as the acceptance writes it."""
    said = when_possible(lambda: member.cluster.ctl("endpoint", "status", "-w", "json"))
    (status,) = json.loads(said)
    cluster_id = status["Status"]["header"]["cluster_id"]
    mark = json.dumps({"clusterId": f"{cluster_id:x}", "token": 'it\'s "one"', "born": 1})
    when_possible(lambda: member.cluster.ctl("put", BIRTH_KEY, mark))
    return mark


def mark_of(member: Member) -> str:
    """What the cluster says of its mark: empty where it has none."""
    return told("the mark", lambda: read_birth(member.cluster.url))


def leads(member: Member, health: Watched) -> None:
    """Return when the unit's member leads."""
    eventually("a voter", voting(health))
    take_the_lead(member, member.cluster.ctl)


@pytest.fixture(autouse=True)
def many_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "ROUND_SECONDS", 0.1)


def test_the_leaders_unit_writes_the_mark_again_that_a_client_has_deleted(member: Member) -> None:
    mark = marked(member)
    with member.running() as health:
        leads(member, health)
        when_possible(lambda: member.cluster.ctl("del", "", "--from-key"))
        eventually("the mark", lambda: read_birth(member.cluster.url) == mark)


def test_a_unit_that_does_not_lead_leaves_it_to_the_one_that_does(member: Member) -> None:
    marked(member)
    with member.running() as health:
        eventually("a voter", voting(health))
        member.cluster.ctl("del", BIRTH_KEY)
        passes(health, 4)
        assert mark_of(member) == ""


def test_a_mark_of_another_cluster_is_neither_written_again_nor_overwritten(
    member: Member,
) -> None:
    member.cluster.ctl("put", BIRTH_KEY, COPIED)
    with member.running() as health:
        leads(member, health)
        eventually("the note", lambda: Volume(member.volume).read().birth == COPIED)
        when_possible(lambda: member.cluster.ctl("del", BIRTH_KEY))
        passes(health, 4)
        assert mark_of(member) == ""
        mark = marked(member)
    with member.running() as health:
        leads(member, health)
        eventually("the note", lambda: Volume(member.volume).read().birth == mark)
        when_possible(lambda: member.cluster.ctl("put", BIRTH_KEY, COPIED))
        passes(health, 4)
        assert mark_of(member) == COPIED
        eventually("an answer", lambda: is_asked_for(member, mark))
        assert mark_of(member) == COPIED


def is_asked_for(member: Member, mark: str) -> bool:
    """Whether the unit could ask for it to be written where there is none."""
    with suppress(EtcdctlError):
        write_birth(member.unit.url, mark)
        return True
    return False
