"""Which unit restarts next in a rolling change, and when none may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.dynamic import restarts
from components.dynamic.plan import Done, Goal, MoveLeader, Wait
from containers.etcd.supervisor.membership import Member
from tests.support.views import healthy_since, member, view

GOAL = Goal(seeds="etcd-seed", units="etcd", count=3)
UNITS = [member(10 + i, f"etcd-{i}") for i in range(3)]
SETTLED = healthy_since([m.id for m in UNITS], 0.0)
NOW = 100.0


def pods(*current: int, away: int | None = None) -> list[restarts.Pod]:
    return [restarts.Pod(f"etcd-{i}", i in current, i != away) for i in range(3)]


@pytest.mark.parametrize(
    ("leader", "there", "expected"),
    [
        pytest.param(10, pods(), restarts.Restart("etcd-2"), id="the highest ordinal first"),
        pytest.param(12, pods(), restarts.Restart("etcd-1"), id="the leader last"),
        pytest.param(12, pods(1), restarts.Restart("etcd-0"), id="still the leader last"),
        pytest.param(
            12, pods(0, 1), MoveLeader(UNITS[2], UNITS[1]), id="leadership goes to a new one"
        ),
        pytest.param(11, pods(0, 1), restarts.Restart("etcd-2"), id="then it is a follower"),
        pytest.param(11, pods(0, 1, 2), Done(), id="all are new"),
        pytest.param(
            10, pods(2, away=2), Wait("not ready: etcd-2"), id="one that is not back stops it"
        ),
        pytest.param(
            10, pods(0, 1, 2, away=2), Wait("not ready: etcd-2"), id="done when the last is back"
        ),
        pytest.param(10, pods()[:2], Wait("not ready: etcd-2"), id="one that is not there"),
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
    assert step == restarts.Restart("etcd-0")


@given(
    st.sets(st.sampled_from([10, 11, 12])),
    st.sets(st.sampled_from([0, 1, 2])),
    st.sets(st.sampled_from([0, 1, 2])),
    st.sampled_from([10, 11, 12]),
)
def test_no_restart_ever_costs_the_quorum(
    silent: set[int], current: set[int], ready: set[int], leader: int
) -> None:
    there = [restarts.Pod(f"etcd-{i}", i in current, i in ready) for i in range(3)]
    seen = view(UNITS, silent=silent, leader=leader if leader not in silent else 0)
    history = healthy_since([i for i in (10, 11, 12) if i not in silent], 0.0)
    step = restarts.next_restart(GOAL, seen, history, NOW, there)
    if isinstance(step, restarts.Restart):
        assert not silent
        assert ready == {0, 1, 2}
        assert step.pod in {p.name for p in there if not p.current}
        assert seen.leader is None or step.pod != seen.leader.pod or len(current) == 0
    if isinstance(step, Done):
        assert current == ready == {0, 1, 2}
