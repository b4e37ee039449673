"""Which unit restarts next in a rolling change, and when none may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.dynamic import restarts
from components.dynamic.plan import Done, Goal, MoveLeader, Wait
from containers.etcd.supervisor.membership import History, Member
from tests.support.views import healthy_since, member, view

GOAL = Goal(seeds="etcd-seed", units="etcd", count=3)
UNITS = [member(10 + i, f"etcd-{i}") for i in range(3)]
SETTLED = healthy_since([m.id for m in UNITS], 0.0)
NOW = 100.0


def pods(*current: int, away: int | None = None) -> list[restarts.Pod]:
    return [restarts.Pod(f"etcd-{i}", i in current, i != away) for i in range(3)]


def known(*silent: int, young: int | None = None, count: int = 3) -> History:
    """Everybody is settled but those that are silent, and one that is not healthy for long."""
    since = {10 + i: 0.0 for i in range(count) if 10 + i not in silent}
    return History(
        healthy_since={i: NOW - 1 if i == young else at for i, at in since.items()},
        sick_since=dict.fromkeys(silent, 0.0),
        leader_index=100,
    )


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
    ("leader", "silent", "there", "expected"),
    [
        pytest.param(
            10, [12], pods(away=2), restarts.Restart("etcd-2"), id="the one that has failed"
        ),
        pytest.param(
            12, [10], pods(away=0), restarts.Restart("etcd-0"), id="whatever its ordinal is"
        ),
        pytest.param(
            10,
            [12],
            pods(0, 1, away=2),
            restarts.Restart("etcd-2"),
            id="set back: no other is left",
        ),
        pytest.param(
            10, [], pods(away=2), restarts.Restart("etcd-2"), id="one that answers and is not ready"
        ),
        pytest.param(
            10, [], pods(1, away=0), MoveLeader(UNITS[0], UNITS[1]), id="it leads: to a new one"
        ),
        pytest.param(
            10, [], pods(away=0), MoveLeader(UNITS[0], UNITS[2]), id="it leads: to any, if none is"
        ),
        pytest.param(
            10,
            [12],
            pods(2, away=2),
            Wait("not ready: etcd-2"),
            id="of the newest template already: it stops the change",
        ),
        pytest.param(
            10,
            [12],
            [*pods(2, away=2)[::2], restarts.Pod("etcd-1", current=False, ready=False)],
            Wait("not ready: etcd-1, etcd-2"),
            id="never a second while one of the newest template is not ready",
        ),
        pytest.param(
            10,
            [11, 12],
            [*pods()[:1], *(restarts.Pod(f"etcd-{i}", False, False) for i in (1, 2))],
            Wait("not ready: etcd-1, etcd-2"),
            id="the others are no quorum",
        ),
        pytest.param(0, [12], pods(away=2), Wait("not ready: etcd-2"), id="nobody leads"),
    ],
)
def test_what_has_failed_on_an_older_template_gets_the_newest_first(
    leader: int, silent: list[int], there: list[restarts.Pod], expected: restarts.Step
) -> None:
    """It waits for the very correction (Kubernetes: StatefulSet, "Forced rollback")."""
    seen = view(UNITS, leader=leader, silent=silent)
    assert restarts.next_restart(GOAL, seen, known(*silent), NOW, there) == expected


@pytest.mark.parametrize("count", [3, 5])
def test_what_has_failed_waits_while_another_is_not_settled(count: int) -> None:
    """Though with five the settled ones were a quorum: it may be one that is just renewed."""
    goal = Goal(seeds="etcd-seed", units="etcd", count=count)
    seen = view([member(10 + i, f"etcd-{i}") for i in range(count)], silent=[12])
    there = [restarts.Pod(f"etcd-{i}", current=False, ready=i != 2) for i in range(count)]
    history = known(12, young=11, count=count)
    step = restarts.next_restart(goal, seen, history, NOW, there)
    assert step == Wait("not ready: etcd-2")


def test_of_several_that_have_failed_the_highest_is_first() -> None:
    goal = Goal(seeds="etcd-seed", units="etcd", count=5)
    seen = view([member(10 + i, f"etcd-{i}") for i in range(5)], silent=[11, 13])
    there = [restarts.Pod(f"etcd-{i}", current=False, ready=i not in (1, 3)) for i in range(5)]
    step = restarts.next_restart(goal, seen, known(11, 13, count=5), NOW, there)
    assert step == restarts.Restart("etcd-3")


@pytest.mark.parametrize(
    ("silent", "expected"),
    [
        pytest.param([], restarts.Restart("etcd-2"), id="it is missed by nobody"),
        pytest.param([11], Wait("not ready: etcd-2"), id="a member is not well"),
    ],
)
def test_what_has_failed_and_is_no_member_gets_the_newest_too(
    silent: list[int], expected: restarts.Step
) -> None:
    seen = view(UNITS[:2], silent=silent)
    history = known(12, *silent)
    assert restarts.next_restart(GOAL, seen, history, NOW, pods(away=2)) == expected


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(restarts.Pod("etcd-0", False, False), restarts.Restart("etcd-0"), id="down"),
        pytest.param(restarts.Pod("etcd-0", False, True), None, id="it serves: as all others do"),
        pytest.param(restarts.Pod("etcd-0", True, False), None, id="of the newest template"),
        pytest.param(restarts.Pod("etcd-0", False, False, ending=True), None, id="ending already"),
    ],
)
def test_a_single_unit_that_is_down_has_no_other_to_be_waited_for(
    pod: restarts.Pod, expected: restarts.Restart | None
) -> None:
    goal = Goal(seeds="etcd-seed", units="etcd", count=1)
    assert restarts.alone(goal, [pod]) == expected
    assert restarts.alone(goal, []) is None
    assert restarts.alone(GOAL, [pod]) is None


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
    st.sets(st.sampled_from([0, 1, 2])),
    st.sampled_from([10, 11, 12]),
)
def test_no_restart_ever_costs_the_quorum(
    silent: set[int], current: set[int], ready: set[int], ending: set[int], leader: int
) -> None:
    there = [
        restarts.Pod(f"etcd-{i}", i in current, i in ready - ending, i in ending) for i in range(3)
    ]
    seen = view(UNITS, silent=silent, leader=leader if leader not in silent else 0)
    step = restarts.next_restart(GOAL, seen, known(*silent), NOW, there)
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
