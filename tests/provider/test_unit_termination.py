"""A unit that is told to stop, with real etcd, on loopback: its clients are led elsewhere first."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

import pytest

from containers.etcd.supervisor import kubernetes, observer, termination
from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from containers.etcd.supervisor.etcdctl import read_view
from containers.etcd.supervisor.membership import View
from tests.support.joining import Member, gone, is_removed, not_wanted, voting, wanted
from tests.support.supervisor import eventually, when_possible


class Ahead:
    """In the place of the module `time`: the time that passes, and what a test adds to it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.seconds

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


SERVES = "serving until clients are led elsewhere"


@pytest.mark.parametrize(
    ("wants", "stays"),
    [
        pytest.param(wanted, True, id="a restart"),
        pytest.param(not_wanted, False, id="scaled away by hand"),
    ],
)
def test_a_unit_that_is_told_to_stop_serves_until_clients_are_led_elsewhere(
    wants: Callable[..., bool], stays: bool, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Ahead()
    monkeypatch.setattr(termination, "time", clock)
    monkeypatch.setattr(observer, "time", clock)
    stop = Event()
    with member.running(stop) as health:
        eventually("a voter", voting(health))
        monkeypatch.setattr(kubernetes, "wants", wants)
        # It ends when all was looked at, and two minutes are left to leave.
        monkeypatch.setattr(termination, "ELSEWHERE_SECONDS", 600)
        monkeypatch.setattr(termination, "LEAVE_SECONDS", 600 + 120)
        stop.set()
        try:
            eventually("it to go on", lambda: health.phase == SERVES)
            get = ("get", "--print-value-only", BIRTH_KEY)
            assert when_possible(lambda: member.unit.ctl(*get)).strip() == "the mark"
            assert len(member.cluster.members()) == 2
        finally:
            clock.seconds = 600
    left = "leaving the membership: scaled down" in health.phases
    assert left is not stays


@pytest.mark.parametrize("why", ["its StatefulSet goes", "nobody else is there"])
def test_a_unit_serves_on_only_where_clients_can_go_elsewhere(
    why: str, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(termination, "ELSEWHERE_SECONDS", 60)
    with member.running() as health:
        eventually("a voter", voting(health))
        if why == "its StatefulSet goes":
            monkeypatch.setattr(kubernetes, "wants", gone)
        else:
            other = member.unit.members()[member.cluster.name]
            eventually("etcd's own five seconds", lambda: is_removed(member.unit, other))

            def alone(_url: str) -> View | None:
                """Nobody else answers at the Service any more; its own etcd says who there is."""
                return read_view(member.unit.url)

            monkeypatch.setattr(observer, "read_view", alone)
    assert SERVES not in health.phases
