"""The handover's plan: what it does next in every situation, and what it never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.dynamic import plan
from containers.etcd.supervisor.membership import History, Member, View
from tests.support.views import healthy_since, member, view

SEEDS = [member(1 + i, f"etcd-seed-{i}") for i in range(3)]
UNITS = [member(10 + i, f"etcd-{i}") for i in range(3)]
GOAL = plan.Goal(seeds="etcd-seed", units=("etcd-0", "etcd-1", "etcd-2"))
ALL = [m.id for m in (*SEEDS, *UNITS)]
SETTLED = healthy_since(ALL, 0.0)
NOW = 100.0


@pytest.mark.parametrize(
    ("seen", "serving", "expected"),
    [
        pytest.param(
            view([*SEEDS, *UNITS]), True, plan.StopServing(), id="clients leave the seeds first"
        ),
        pytest.param(
            view([*SEEDS, *UNITS], leader=3),
            False,
            plan.MoveLeader(SEEDS[2], UNITS[2]),
            id="a leading seed hands over before it is touched",
        ),
        pytest.param(
            view([*SEEDS, *UNITS], leader=11),
            False,
            plan.Remove(SEEDS[0]),
            id="a unit leads: the first seed goes",
        ),
        pytest.param(
            view([SEEDS[1], *UNITS], leader=11), False, plan.Remove(SEEDS[1]), id="the last seed"
        ),
        pytest.param(view(UNITS), False, plan.Done(), id="only units"),
        pytest.param(view(UNITS), True, plan.Done(), id="retained cluster: no seed ever"),
        pytest.param(
            view([*SEEDS, *UNITS], silent=(1,), leader=0),
            False,
            plan.Wait("no leader"),
            id="an election",
        ),
    ],
)
def test_the_next_step_follows_from_what_is_there(
    seen: View, serving: bool, expected: plan.Step
) -> None:
    assert plan.next_step(GOAL, seen, SETTLED, NOW, serving=serving) == expected


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(view([*SEEDS, *UNITS[:2]]), id="one unit has not joined"),
        pytest.param(
            view([*SEEDS, *UNITS[:2], member(12, "etcd-2", learner=True)]), id="one is a learner"
        ),
        pytest.param(view([*SEEDS, *UNITS], silent=(12,)), id="one unit does not answer"),
        pytest.param(
            view([*SEEDS, *UNITS, member(13, "etcd-3", learner=True)]), id="another one joins"
        ),
        pytest.param(view([*SEEDS, *UNITS], applied={12: 5}), id="one unit lags"),
    ],
)
def test_no_living_seed_leaves_before_every_unit_is_settled(seen: View) -> None:
    history = healthy_since([i for i in ALL if i in seen.statuses], 0.0)
    if any(s.applied_index < 100 for s in seen.statuses.values()):
        history = healthy_since([i for i in ALL if i != 12], 0.0)
    step = plan.next_step(GOAL, seen, history, NOW, serving=False)
    assert isinstance(step, plan.Wait)


def test_a_dead_seed_goes_early_so_that_units_can_join() -> None:
    seen = view([*SEEDS, UNITS[0]], silent=(3,))
    history = History(healthy_since={1: 0.0, 2: 0.0, 10: 0.0}, sick_since={3: NOW - 16})
    assert plan.next_step(GOAL, seen, history, NOW, serving=True) == plan.Remove(SEEDS[2])


@pytest.mark.parametrize(
    ("members", "silent", "sick_for"),
    [
        pytest.param([*SEEDS], (3,), 14.0, id="not for long enough"),
        pytest.param([*SEEDS[:2]], (2,), 60.0, id="one of two: quorum would go"),
        pytest.param([*SEEDS], (2, 3), 60.0, id="two of three dead"),
    ],
)
def test_a_silent_seed_stays_while_its_removal_could_hurt(
    members: list[Member], silent: tuple[int, ...], sick_for: float
) -> None:
    seen = view(members, silent=silent)
    history = History(
        healthy_since={m.id: 0.0 for m in members if m.id not in silent},
        sick_since=dict.fromkeys(silent, NOW - sick_for),
    )
    assert isinstance(plan.next_step(GOAL, seen, history, NOW, serving=True), plan.Wait)


def test_a_unit_whose_name_begins_like_a_seed_is_no_seed() -> None:
    goal = plan.Goal(seeds="etcd-seed", units=("etcd-seed-x-0",))
    assert not goal.is_seed(member(1, "etcd-seed-x-0"))
    assert goal.is_seed(member(1, "etcd-seed-11"))


@st.composite
def situations(draw: st.DrawFn) -> tuple[View, History, bool]:
    """Any mix of seeds and units, learners, silent and lagging members, histories, leaders."""
    seeds = draw(st.lists(st.sampled_from(SEEDS), unique=True))
    units = [
        member(m.id, m.pod, learner=draw(st.booleans()), started=draw(st.booleans()))
        for m in draw(st.lists(st.sampled_from(UNITS), unique=True))
    ]
    units = [m if m.learner or m.started else member(m.id, m.pod) for m in units]
    members = [*seeds, *units]
    ids = [m.id for m in members]
    silent = draw(st.lists(st.sampled_from(ids), unique=True)) if ids else []
    voters = [m.id for m in members if not m.learner and m.id not in silent]
    leader = draw(st.sampled_from([*voters, 0])) if voters else 0
    seen = view(members, silent=silent, leader=leader)
    ages = st.floats(min_value=0, max_value=60)
    healthy = {i: NOW - draw(ages) for i in seen.statuses if draw(st.booleans())}
    sick = {i: NOW - draw(ages) for i in ids if i not in healthy}
    return seen, History(healthy, sick, 100), draw(st.booleans())


@given(situations())
def test_from_any_situation_the_plan_keeps_the_rules(
    situation: tuple[View, History, bool],
) -> None:
    seen, history, serving = situation
    step = plan.next_step(GOAL, seen, history, NOW, serving=serving)
    voters = {m.pod for m in seen.voters}
    settled = all(history.healthy_for(m, NOW) >= 5 for m in seen.voters)
    if isinstance(step, plan.Remove):
        assert GOAL.is_seed(step.member), "a unit is never removed by the handover"
        others = [m for m in seen.voters if m != step.member]
        assert all(history.healthy_for(m, NOW) >= 5 for m in others)
        assert len(others) >= seen.quorum, "quorum holds without it"
        if step.member.id in seen.statuses:
            assert set(GOAL.units) <= voters, "every wanted unit votes"
            assert settled
            assert seen.leader is not None
            assert step.member != seen.leader, "a leader moves first"
            assert not serving, "clients have left first"
            assert not seen.learners
    if isinstance(step, plan.MoveLeader):
        assert set(GOAL.units) <= voters
        assert step.target.pod in GOAL.units
        assert not step.target.learner
        assert settled
    if isinstance(step, plan.Done):
        assert voters == set(GOAL.units)
        assert not seen.learners
        assert settled
