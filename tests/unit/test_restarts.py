"""Which unit restarts next in a rolling change, and when none may."""

from __future__ import annotations

import itertools
from collections.abc import Set

import pytest

from components.change import restarts
from components.change.plan import Done, Goal, MoveLeader, Wait
from containers.etcd.supervisor.membership import Member
from tests.support.units import GOAL, NOW, SETTLED, UNITS, known, pods
from tests.support.views import healthy_since, member, view


def evicted(pod: str) -> restarts.Restart:
    """All that a rolling change restarts the budget must allow, or a drain may take one more."""
    return restarts.Restart(pod, guarded=True)


@pytest.mark.parametrize(
    ("leader", "there", "expected"),
    [
        pytest.param(10, pods(), evicted("etcd-2"), id="the highest ordinal first"),
        pytest.param(12, pods(), evicted("etcd-1"), id="the leader last"),
        pytest.param(12, pods(1), evicted("etcd-0"), id="still the leader last"),
        pytest.param(
            12, pods(0, 1), MoveLeader(UNITS[2], UNITS[1]), id="leadership goes to a new one"
        ),
        pytest.param(11, pods(0, 1), evicted("etcd-2"), id="then it is a follower"),
        pytest.param(11, pods(0, 1, 2), Done(), id="all are new"),
        pytest.param(
            10, pods(2, away=2), Wait("not ready: etcd-2"), id="one that is not back stops it"
        ),
        pytest.param(
            10, pods(0, 1, 2, away=2), Wait("not ready: etcd-2"), id="done when the last is back"
        ),
        pytest.param(10, pods()[:2], Wait("not ready: etcd-2"), id="one that is not there"),
        pytest.param(
            10,
            [*pods()[:2], restarts.Pod("etcd-2", current=False, ready=False, ending=True)],
            Wait("not ready: etcd-2"),
            id="one that is ending already",
        ),
    ],
)
def test_one_pod_at_a_time(leader: int, there: list[restarts.Pod], expected: restarts.Step) -> None:
    seen = view(UNITS, leader=leader)
    assert restarts.next_restart(GOAL, seen, SETTLED, NOW, there) == expected


@pytest.mark.parametrize(
    ("members", "silent", "young"),
    [
        pytest.param(UNITS, [11], [], id="one does not answer"),
        pytest.param(UNITS, [], [11], id="one is not settled"),
        pytest.param(
            [*UNITS[:2], member(12, "etcd-2", learner=True)], [], [], id="one is a learner"
        ),
    ],
)
def test_no_pod_goes_while_a_member_is_not_well(
    members: list[Member], silent: list[int], young: list[int]
) -> None:
    seen = view(members, silent=silent)
    history = healthy_since([m.id for m in members if m.id not in silent], 0.0)
    history = type(history)(
        {i: (NOW - 1 if i in young else since) for i, since in history.healthy_since.items()}
    )
    assert isinstance(restarts.next_restart(GOAL, seen, history, NOW, pods()), Wait)


def test_a_single_member_restarts_since_there_is_no_other_way() -> None:
    goal = Goal(seeds="etcd-seed", units="etcd", count=1)
    step = restarts.next_restart(goal, view(UNITS[:1]), SETTLED, NOW, pods()[:1])
    assert step == evicted("etcd-0")


SUBSETS = [frozenset(i for i in range(3) if number & 1 << i) for number in range(8)]


def test_no_restart_ever_costs_the_quorum() -> None:
    """In every case there is: who is silent, new, ready and ending, and who leads."""
    for silent, current, ready, ending in itertools.product(SUBSETS, repeat=4):
        for leader in (10, 11, 12):
            costs_no_quorum({10 + i for i in silent}, current, ready, ending, leader)


def costs_no_quorum(
    silent: Set[int], current: Set[int], ready: Set[int], ending: Set[int], leader: int
) -> None:
    there = [
        restarts.Pod(f"etcd-{i}", i in current, i in ready - ending, i in ending) for i in range(3)
    ]
    seen = view(UNITS, silent=silent, leader=leader if leader not in silent else 0)
    situation = (GOAL, seen, known(*silent), NOW, there)
    step = restarts.mend(*situation) or restarts.next_restart(*situation)
    if isinstance(step, restarts.Restart):
        pod = next(p for p in there if p.name == step.pod)
        assert not pod.current
        assert not pod.ending
        others = [p for p in there if p != pod]
        assert seen.leader is not None
        if pod.ready:
            assert not silent
            assert all(p.ready for p in there)
        else:
            well = {m.id for m in UNITS if m.pod != step.pod} - silent
            assert len(well) >= seen.quorum
            assert not any(p.current or p.ending for p in others if not p.ready)
        assert step.pod != seen.leader.pod or (pod.ready and not current)
    if isinstance(step, MoveLeader):
        assert step.target.id not in silent
        assert f"etcd-{step.target.id - 10}" in {p.name for p in there if p.ready}
    if isinstance(step, Done):
        assert current == ready - ending == {0, 1, 2}


SINGLE = Goal(seeds="etcd-seed", units="etcd", count=1)


@pytest.mark.parametrize("ready", [True, False])
def test_the_last_copy_of_the_data_does_not_go_with_a_restart(ready: bool) -> None:
    """Without a volume: then nobody else has what the only unit has."""
    only = restarts.Pod("etcd-0", current=False, ready=ready, lasting=False)
    surplus = restarts.Pod("etcd-1", current=False, ready=True, lasting=False)
    assert restarts.loss(SINGLE, [only, surplus]) == only
    assert restarts.loss(GOAL, [only, surplus]) is None, "the others have it"


@pytest.mark.parametrize(
    "only",
    [
        pytest.param(restarts.Pod("etcd-0", current=False, ready=True), id="on a volume"),
        pytest.param(
            restarts.Pod("etcd-0", current=True, ready=True, lasting=False), id="no restart"
        ),
        pytest.param(
            restarts.Pod("etcd-0", current=False, ready=False, ending=True, lasting=False),
            id="it ends already",
        ),
    ],
)
def test_no_other_restart_is_a_loss(only: restarts.Pod) -> None:
    assert restarts.loss(SINGLE, [only]) is None
