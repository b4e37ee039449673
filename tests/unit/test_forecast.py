"""The plan that a preview shows: every step with voters, quorum and tolerance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.change.forecast import Forecast, Stage, too_low
from components.change.plan import Goal, Workload
from components.change.restarts import Pod
from containers.etcd.supervisor.membership import View
from tests.support.views import member, view


def cluster(
    wanted: int, there: int, *, leader: int | None = None, silent: tuple[int, ...] = ()
) -> Forecast:
    """A balanced cluster of `there` units, IDs from 10 on, of which `wanted` are to be left."""
    seen = view([member(10 + i, f"etcd-{i}") for i in range(there)], leader=leader, silent=silent)
    return over(wanted, there, seen)


def over(wanted: int, replicas: int, seen: View) -> Forecast:
    goal = Goal(seeds="etcd-seed", units="etcd", count=wanted)
    return Forecast(goal, seen, Workload(replicas, None, frozenset(range(replicas)), False))


def said(model: Forecast) -> list[str]:
    return [str(stage) for stage in model.stages]


def test_new_units_join_one_by_one() -> None:
    model = cluster(5, 3)
    assert str(model.now) == "etcd-0 leads: 3 voters, quorum 2, tolerance 1"
    assert said(model.scale()) == [
        "etcd-3 joins as a learner, is promoted: 4 voters, quorum 3, tolerance 1",
        "etcd-4 joins as a learner, is promoted: 5 voters, quorum 3, tolerance 2",
    ]


def test_surplus_units_leave_the_highest_first_and_a_leader_hands_over() -> None:
    assert said(cluster(3, 5, leader=13).scale()) == [
        "etcd-4 leaves: 4 voters, quorum 3, tolerance 1",
        "leadership moves from etcd-3 to etcd-2: 4 voters, quorum 3, tolerance 1",
        "etcd-3 leaves: 3 voters, quorum 2, tolerance 1",
    ]


def test_a_rolling_change_restarts_the_leader_last() -> None:
    assert said(cluster(3, 3, leader=12).restart()) == [
        "etcd-1 restarts: 3 voters, 2 of them serve, quorum 2, tolerance 0",
        "etcd-0 restarts: 3 voters, 2 of them serve, quorum 2, tolerance 0",
        "leadership moves from etcd-2 to etcd-1: 3 voters, quorum 2, tolerance 1",
        "etcd-2 restarts: 3 voters, 2 of them serve, quorum 2, tolerance 0",
    ]


def with_pods(model: Forecast, *pods: Pod) -> Forecast:
    model.pods = pods
    return model


def test_a_unit_that_has_failed_restarts_first_and_costs_nothing() -> None:
    model = with_pods(cluster(3, 3, silent=(12,)), Pod("etcd-2", current=False, ready=False))
    assert str(model.now) == ("etcd-0 leads: 3 voters, 2 of them serve, quorum 2, tolerance 0")
    assert said(model.restart())[:3] == [
        "etcd-2 restarts: 3 voters, 2 of them serve, quorum 2, tolerance 0",
        "etcd-2 is back: 3 voters, quorum 2, tolerance 1",
        "etcd-1 restarts: 3 voters, 2 of them serve, quorum 2, tolerance 0",
    ]
    assert [s.what for s in model.stages if s.what.endswith("restarts")] == [
        f"etcd-{i} restarts" for i in (2, 1, 0)
    ]


def test_a_unit_that_has_failed_alone_lowers_no_tolerance() -> None:
    pods = [Pod(f"etcd-{i}", current=i != 2, ready=i != 2) for i in range(3)]
    model = with_pods(cluster(3, 3, silent=(12,)), *pods)
    first = model.now
    assert too_low(first, model.restart().stages, 1) is None
    assert [s.what for s in model.stages] == ["etcd-2 restarts", "etcd-2 is back"]


def test_a_unit_that_answers_and_is_not_ready_is_missed_while_it_restarts() -> None:
    model = with_pods(cluster(3, 3), Pod("etcd-2", current=False, ready=False))
    assert said(model.restart())[0] == (
        "etcd-2 restarts: 3 voters, 2 of them serve, quorum 2, tolerance 0"
    )


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(Pod("etcd-2", current=True, ready=False), id="of the newest template"),
        pytest.param(Pod("etcd-2", current=False, ready=False, ending=True), id="ending already"),
    ],
)
def test_a_unit_that_is_on_its_way_is_waited_for(pod: Pod) -> None:
    model = with_pods(cluster(3, 3, silent=(12,)), pod)
    assert said(model.restart())[:2] == [
        "waits (not ready: etcd-2): 3 voters, quorum 2, tolerance 1",
        "etcd-1 restarts: 3 voters, 2 of them serve, quorum 2, tolerance 0",
    ]
    assert "etcd-2 restarts" not in [s.what for s in model.stages]


def test_what_runs_with_the_declared_template_already_is_not_foretold_to_restart() -> None:
    pods = [Pod(f"etcd-{i}", current=i != 1, ready=True) for i in range(3)]
    assert [s.what for s in with_pods(cluster(3, 3), *pods).restart().stages] == ["etcd-1 restarts"]


def test_a_unit_that_is_called_back_is_told() -> None:
    seen = cluster(5, 5).view
    goal = Goal(seeds="etcd-seed", units="etcd", count=5)
    model = Forecast(goal, seen, Workload(5, 4, frozenset(range(5)), False))
    assert said(model.scale()) == [
        "etcd-4, which was told to leave, stays: 5 voters, quorum 3, tolerance 2"
    ]


def test_a_single_member_stops_writes_while_it_restarts() -> None:
    (stage,) = cluster(1, 1).restart().stages
    assert stage.tolerance == -1


def test_a_member_that_does_not_answer_is_waited_for_first() -> None:
    first, *_ = said(cluster(3, 5, silent=(11,)).scale())
    assert first == (
        "waits until all voters are healthy (not healthy: etcd-1): 5 voters, quorum 3, tolerance 2"
    )


def test_a_learner_that_is_there_already_is_promoted() -> None:
    units = [member(10 + i, f"etcd-{i}") for i in range(2)]
    seen = view([*units, member(12, "etcd-2", learner=True, started=False)])
    assert said(over(3, 3, seen).scale()) == [
        "etcd-2 is promoted: 3 voters, quorum 2, tolerance 1",
    ]


def test_without_a_leader_nothing_is_foretold() -> None:
    (stage,) = cluster(5, 3, leader=0).scale().stages
    assert stage.what == "waits (not voters yet: etcd-3, etcd-4)"


def test_nothing_to_do_is_no_step() -> None:
    assert cluster(3, 3).scale().stages == []


def test_the_first_step_that_goes_below_the_least_tolerance_is_named() -> None:
    first, *stages = [Stage("", 3, 3), Stage("a", 3, 3), Stage("b", 3, 2), Stage("c", 3, 2)]
    assert too_low(first, stages, 1) == stages[1]
    assert too_low(first, stages, 0) is None


def test_what_is_below_already_may_grow() -> None:
    model = cluster(5, 3)
    assert too_low(model.now, model.scale().stages, 2) is None
    smaller = cluster(3, 5)
    assert too_low(smaller.now, smaller.scale().stages, 2) == smaller.stages[0]


@given(
    wanted=st.sampled_from([1, 3, 5, 7]),
    there=st.integers(1, 7),
    data=st.data(),
)
def test_every_plan_ends_with_exactly_the_wanted_voters(
    wanted: int, there: int, data: st.DataObject
) -> None:
    ids = [10 + i for i in range(there)]
    leader = data.draw(st.sampled_from([0, *ids]))
    quiet = data.draw(st.sets(st.sampled_from(ids), max_size=(there - 1) // 2)) - {leader}
    model = cluster(wanted, there, leader=leader, silent=tuple(quiet)).scale()
    assert len(model.stages) < 40
    if leader:
        assert [m.pod for m in model.view.voters] == [f"etcd-{i}" for i in range(wanted)]
        down = data.draw(st.sets(st.sampled_from(model.goal.pods)))
        known = [Pod(name, data.draw(st.booleans()), name not in down) for name in model.goal.pods]
        with_pods(model, *known).restart()
        restarted = [s.what for s in model.stages if s.what.endswith("restarts")]
        assert sorted(restarted) == sorted(f"{p.name} restarts" for p in known if not p.current)
        assert len(model.stages) < 80


@pytest.mark.parametrize(("voters", "serving", "tolerance"), [(1, 1, 0), (4, 4, 1), (5, 3, 0)])
def test_tolerance_is_what_may_fail_beside_those_that_have(
    voters: int, serving: int, tolerance: int
) -> None:
    assert Stage("", voters, serving).tolerance == tolerance
