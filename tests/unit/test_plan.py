"""The plan of handover and scale: what comes next in every situation, and what never does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.change import plan, strangers
from containers.etcd.supervisor.membership import History, Member, View
from tests.support.views import healthy_since, member, view

SEEDS = [member(1 + i, f"etcd-seed-{i}") for i in range(3)]
UNITS = [member(10 + i, f"etcd-{i}") for i in range(3)]
GOAL = plan.Goal(seeds="etcd-seed", units="etcd", count=3)
ALL = [m.id for m in (*SEEDS, *UNITS)]
SETTLED = healthy_since(ALL, 0.0)
NOW = 100.0


def at(
    replicas: int = 3,
    *,
    leaving: int | None = None,
    pods: int | None = None,
    serving: bool = False,
) -> plan.Workload:
    """What Kubernetes has; as many pods as replicas unless `pods` says otherwise."""
    there = frozenset(range(replicas if pods is None else pods))
    return plan.Workload(replicas, leaving, there, serving)


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
    assert plan.next_step(GOAL, seen, SETTLED, NOW, at(serving=serving)) == expected


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(view([*SEEDS, *UNITS[:2]]), id="one unit has not joined"),
        pytest.param(
            view([*SEEDS, *UNITS[:2], member(12, "etcd-2", learner=True)]), id="one is a learner"
        ),
        pytest.param(view([*SEEDS, *UNITS], silent=(12,)), id="one unit does not answer"),
        pytest.param(
            view([*SEEDS, *UNITS, member(13, "other-0", learner=True)]), id="another one joins"
        ),
        pytest.param(view([*SEEDS, *UNITS], applied={12: 5}), id="one unit lags"),
    ],
)
def test_no_living_seed_leaves_before_every_unit_is_settled(seen: View) -> None:
    history = healthy_since([i for i in ALL if i in seen.statuses], 0.0)
    if any(s.applied_index < 100 for s in seen.statuses.values()):
        history = healthy_since([i for i in ALL if i != 12], 0.0)
    step = plan.next_step(GOAL, seen, history, NOW, at())
    assert isinstance(step, plan.Wait)


def test_a_dead_seed_goes_early_so_that_units_can_join() -> None:
    seen = view([*SEEDS, UNITS[0]], silent=(3,))
    history = History(healthy_since={1: 0.0, 2: 0.0, 10: 0.0}, sick_since={3: NOW - 16})
    assert plan.next_step(GOAL, seen, history, NOW, at(serving=True)) == plan.Remove(SEEDS[2])


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
    assert isinstance(plan.next_step(GOAL, seen, history, NOW, at(serving=True)), plan.Wait)


def test_a_unit_whose_name_begins_like_a_seed_is_no_seed() -> None:
    assert not GOAL.is_seed(member(1, "etcd-seed-x-0"))
    assert GOAL.is_seed(member(1, "etcd-seed-11"))
    assert not GOAL.surplus(member(1, "etcd-seed-11"))


@pytest.mark.parametrize(
    ("listed", "strange"),
    [
        pytest.param(member(20, "other-0"), True, id="a voter"),
        pytest.param(member(20, "other-0", learner=True), True, id="a learner"),
        pytest.param(member(20, "other-0", started=False), True, id="one that never started"),
        pytest.param(replace(member(20, ""), peer_url="http://10.0.0.5:2380"), True, id="an IP"),
        pytest.param(
            replace(member(20, "etcd-1"), peer_url="http://10.0.0.5:2380"),
            True,
            id="under a unit's name, elsewhere",
        ),
        pytest.param(member(20, "etcd-seed-x-0"), True, id="of a workload that begins like ours"),
        pytest.param(member(20, "etcd-discovery-0"), True, id="the discovery service"),
        pytest.param(member(20, "etcd-3"), False, id="a unit that is not wanted"),
        pytest.param(member(20, "etcd-30", learner=True), False, id="far above the count"),
        pytest.param(
            member(20, "etcd-3", learner=True, started=False),
            False,
            id="a unit that was added, and has no name before it has started",
        ),
        pytest.param(
            replace(member(20, "etcd-3"), name="by-hand"), False, id="a unit under another name"
        ),
        pytest.param(member(20, "etcd-seed-7"), False, id="a seed of a larger bootstrap"),
    ],
)
def test_a_member_is_known_by_its_peer_url_alone(listed: Member, strange: bool) -> None:
    """A name is there only once a member has started, and may be anything."""
    found = strangers.of(GOAL, view([*SEEDS, *UNITS, listed]))
    assert found == ([listed] if strange else [])


# ---------------------------------------------------------------- scale

FIVE = [member(10 + i, f"etcd-{i}") for i in range(5)]
ALL_FIVE = healthy_since([m.id for m in FIVE], 0.0)


@pytest.mark.parametrize(
    ("members", "leader", "workload", "expected"),
    [
        pytest.param(UNITS, 10, at(1), plan.Resize(3), id="up: all pods at once"),
        pytest.param(
            UNITS[:2],
            10,
            at(2, leaving=2),
            plan.Announce(None),
            id="up: one that was leaving is wanted again",
        ),
        pytest.param(
            UNITS[:1], 10, at(3), plan.Wait("not voters yet: etcd-1, etcd-2"), id="up: they join"
        ),
        pytest.param(FIVE, 10, at(5), plan.Announce(4), id="down: announced first"),
        pytest.param(FIVE, 10, at(5, leaving=4), plan.Remove(FIVE[4]), id="then removed"),
        pytest.param(
            FIVE, 14, at(5, leaving=4), plan.MoveLeader(FIVE[4], FIVE[2]), id="leaders move first"
        ),
        pytest.param(FIVE[:4], 10, at(5, leaving=4), plan.Resize(4), id="then its pod ends"),
        pytest.param(
            FIVE[:4], 10, at(4, leaving=4, pods=5), plan.Announce(3), id="and the next, meanwhile"
        ),
        pytest.param(FIVE[:3], 10, at(4, leaving=3), plan.Resize(3), id="the last"),
        pytest.param(
            FIVE[:3],
            10,
            at(3, leaving=3, pods=4),
            plan.Wait("pods are ending: etcd-3"),
            id="all pods have ended before it is done",
        ),
        pytest.param(FIVE[:3], 10, at(3, leaving=3), plan.Announce(None), id="nobody leaves"),
        pytest.param(FIVE[:3], 10, at(3), plan.Done(), id="done"),
        pytest.param(FIVE[:3], 10, at(5), plan.Announce(4), id="pods that never joined end too"),
        pytest.param(
            FIVE[:4],
            10,
            at(3, pods=4),
            plan.Wait("leaving by itself: etcd-3"),
            id="scaled by hand: it is on its way",
        ),
        pytest.param(
            [*FIVE[:3], member(13, "etcd-3", learner=True)],
            10,
            at(4, leaving=3),
            plan.Remove(member(13, "etcd-3", learner=True)),
            id="a surplus learner",
        ),
    ],
)
def test_the_count_is_reached_step_by_step(
    members: list[Member], leader: int, workload: plan.Workload, expected: plan.Step
) -> None:
    seen = view(members, leader=leader)
    assert plan.next_step(GOAL, seen, ALL_FIVE, NOW, workload) == expected


def test_no_living_unit_leaves_while_another_is_sick() -> None:
    seen = view(FIVE, leader=10, silent=[11])
    history = History(healthy_since=dict.fromkeys((10, 12, 13, 14), 0.0), sick_since={11: 0.0})
    step = plan.next_step(GOAL, seen, history, NOW, at(5, leaving=4))
    assert step == plan.Wait("not healthy: etcd-1")


def test_a_surplus_unit_that_is_dead_goes_though_it_is_dead() -> None:
    seen = view(FIVE, leader=10, silent=[14])
    history = History(healthy_since=dict.fromkeys((10, 11, 12, 13), 0.0), sick_since={14: 0.0})
    assert plan.next_step(GOAL, seen, history, NOW, at(5)) == plan.Announce(4)
    assert plan.next_step(GOAL, seen, history, NOW, at(5, leaving=4)) == plan.Remove(FIVE[4])


@pytest.mark.parametrize(
    ("members", "workload", "reached"),
    [
        pytest.param(UNITS, at(3), True, id="exactly the wanted units"),
        pytest.param(UNITS, at(3, pods=2), True, id="one of their pods is being recreated"),
        pytest.param(UNITS, at(3, leaving=2), False, id="one of them is told to leave"),
        pytest.param(UNITS[:2], at(3), False, id="one has not joined"),
        pytest.param(
            [*UNITS[:2], member(12, "etcd-2", learner=True)], at(3), False, id="one is a learner"
        ),
        pytest.param(FIVE[:4], at(3), False, id="one too many is listed"),
        pytest.param(UNITS, at(4), False, id="Kubernetes would bring another"),
        pytest.param(UNITS, at(3, pods=4), False, id="a pod has not ended"),
        pytest.param([*UNITS, SEEDS[0]], at(3), False, id="a seed"),
    ],
)
def test_the_count_is_reached_however_well_the_members_are(
    members: list[Member], workload: plan.Workload, reached: bool
) -> None:
    for silent in ([], [10]):
        assert plan.reached(GOAL, view(members, silent=silent), workload) is reached


Situation = tuple[View, History, plan.Workload]


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Any mix of seeds and units, wanted and surplus, learners, silent and lagging members,
    histories, leaders, replica counts, announcements."""
    seeds = draw(st.lists(st.sampled_from(SEEDS), unique=True))
    units = [
        member(m.id, m.pod, learner=draw(st.booleans()), started=draw(st.booleans()))
        for m in draw(st.lists(st.sampled_from(FIVE), unique=True))
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
    workload = plan.Workload(
        replicas=draw(st.integers(min_value=0, max_value=5)),
        leaving=draw(st.none() | st.integers(min_value=0, max_value=5)),
        pods=frozenset(draw(st.lists(st.integers(min_value=0, max_value=5)))),
        serving_seeds=draw(st.booleans()),
    )
    return seen, History(healthy, sick, 100), workload


@given(situations())
def test_from_any_situation_the_plan_keeps_the_rules(situation: Situation) -> None:
    keeps_the_rules(situation)


def settled() -> Iterator[Situation]:
    """All wanted units vote, all are well, and some are to leave: seeds, or surplus units of which
    the highest is announced, or removed already."""
    for seeds, count in itertools.product((SEEDS, SEEDS[:1], []), (3, 4, 5)):
        for leaving, listed in ((None, count), (count - 1, count), (count - 1, count - 1)):
            members = [*seeds, *FIVE[:listed]]
            if listed >= GOAL.count and (leaving is None or leaving >= GOAL.count):
                for leader in {members[0], members[-1]}:
                    seen = view(members, leader=leader.id)
                    history = healthy_since([m.id for m in members], 0.0)
                    yield seen, history, at(count, leaving=leaving)


OF_A_MEMBER = ("dead", "silent", "lags", "young", "learner", "gone")
AMISS = [
    ("nothing", None),
    *itertools.product(OF_A_MEMBER, (0, 1, -1, -2)),
    ("no leader", None),
    ("another joins", None),
    ("serving", None),
    *itertools.product(("replicas", "pods"), (-1, 1)),
    *itertools.product(("leaving",), (None, 2, 3, 4)),
]
"""What may be otherwise, and whose: a member's place in the list, or by how much."""


def otherwise(situation: Situation, what: str, which: int | None) -> Situation:
    seen, history, workload = situation
    if what in OF_A_MEMBER:
        assert which is not None
        return (*_member_otherwise(seen, history, what, seen.members[which]), workload)
    if what == "no leader":
        nobody = {i: replace(status, leader_id=0) for i, status in seen.statuses.items()}
        seen = replace(seen, statuses=nobody)
    elif what == "another joins":
        seen = replace(seen, members=(*seen.members, member(20, "other-0", learner=True)))
    elif what == "serving":
        workload = replace(workload, serving_seeds=True)
    elif what == "replicas":
        workload = replace(workload, replicas=workload.replicas + (which or 0))
    elif what == "pods":
        workload = replace(workload, pods=at(len(workload.pods) + (which or 0)).pods)
    elif what == "leaving":
        workload = replace(workload, leaving=which)
    return seen, history, workload


def _member_otherwise(seen: View, history: History, what: str, one: Member) -> tuple[View, History]:
    others = {i: status for i, status in seen.statuses.items() if i != one.id}
    since = {i: moment for i, moment in history.healthy_since.items() if i != one.id}
    if what in ("dead", "silent", "lags"):
        sick = {**history.sick_since, one.id: NOW - (1 if what == "silent" else 60)}
        seen = seen if what == "lags" else replace(seen, statuses=others)
        return seen, replace(history, healthy_since=since, sick_since=sick)
    if what == "young":
        return seen, replace(history, healthy_since={**since, one.id: NOW - 4.9})
    if what == "learner":
        members = [replace(m, learner=m.learner or m == one) for m in seen.members]
        return replace(seen, members=tuple(members)), history
    rest = tuple(m for m in seen.members if m != one)
    return replace(seen, members=rest, statuses=others), replace(history, healthy_since=since)


def test_whichever_two_things_are_amiss_the_plan_keeps_the_rules() -> None:
    """In every case there is of them: where one thing alone decides what may be done."""
    met: set[str] = set()
    for situation in settled():
        for one, other in itertools.combinations(AMISS, 2):
            met.add(keeps_the_rules(otherwise(otherwise(situation, *one), *other)))
    assert met == {
        *("Wait", "Announce(ordinal)", "Announce(None)", "StopServing", "MoveLeader"),
        *("Remove(living seed)", "Remove(dead seed)", "Remove(living unit)", "Remove(dead unit)"),
        *("Resize(up)", "Resize(down)", "Done"),
    }


def kind(step: plan.Step, seen: View, workload: plan.Workload) -> str:
    """The type of a step, and what else is asked of it."""
    what = ""
    if isinstance(step, plan.Remove):
        what = "living " if step.member.id in seen.statuses else "dead "
        what += "seed" if GOAL.is_seed(step.member) else "unit"
    elif isinstance(step, plan.Resize):
        what = "up" if step.replicas > workload.replicas else "down"
    elif isinstance(step, plan.Announce):
        what = "None" if step.ordinal is None else "ordinal"
    return type(step).__name__ + (f"({what})" if what else "")


def keeps_the_rules(situation: Situation) -> str:
    """Judge the next step; return its kind."""
    seen, history, workload = situation
    step = plan.next_step(GOAL, seen, history, NOW, workload)
    voters = {m.pod for m in seen.voters}
    settled = all(history.healthy_for(m, NOW) >= 5 for m in seen.voters)
    if isinstance(step, plan.Remove):
        assert GOAL.is_seed(step.member) or GOAL.surplus(step.member), "a wanted unit never goes"
        others = [m for m in seen.voters if m != step.member]
        well = [m for m in others if history.healthy_for(m, NOW) >= 5]
        if not step.member.learner:
            assert len(well) >= seen.quorum, "quorum holds without it"
        ordinal = step.member.ordinal_in("etcd")
        if ordinal is not None and ordinal < workload.replicas:
            assert workload.leaving == ordinal, "it would join again"
        if step.member.id in seen.statuses:
            assert set(GOAL.pods) <= voters, "every wanted unit votes"
            assert settled
            assert seen.leader is not None
            assert step.member != seen.leader, "a leader moves first"
            if GOAL.is_seed(step.member):
                assert not workload.serving_seeds, "clients have left first"
    if isinstance(step, plan.MoveLeader):
        assert set(GOAL.pods) <= voters
        assert step.target.pod in GOAL.pods
        assert not step.target.learner
        assert settled
    if isinstance(step, plan.Resize) and step.replicas < workload.replicas:
        assert step.replicas >= GOAL.count
        assert f"etcd-{step.replicas}" not in {m.pod for m in seen.members}, "removed before"
        assert workload.leaving == step.replicas
    if plan.reached(GOAL, seen, workload):
        assert isinstance(step, plan.Wait | plan.Done), "nothing is left to change"
    if isinstance(step, plan.Done):
        assert plan.reached(GOAL, seen, workload)
        assert voters == set(GOAL.pods)
        assert not seen.learners
        assert workload.replicas == GOAL.count
        assert all(history.healthy_for(m, NOW) >= 0 for m in seen.voters)
    return kind(step, seen, workload)


def test_leadership_goes_to_who_has_applied_most_and_to_one_that_is_silent_last() -> None:
    seen = view(UNITS, silent=[12], applied={10: 7, 11: 9})
    assert plan.furthest(UNITS, seen) == UNITS[1]
    assert plan.furthest([UNITS[2], UNITS[0]], seen) == UNITS[0]
