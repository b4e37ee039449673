"""What a unit does before it stops, and whom nobody will bring back."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from containers.etcd.supervisor import rules, stopping
from containers.etcd.supervisor.membership import History, Member, View
from tests.support.views import healthy_since, member, url, view

UNITS = [member(10 + i, f"etcd-{i}") for i in range(5)]
SEED = member(1, "etcd-seed-0")
SETTLED = healthy_since([m.id for m in (SEED, *UNITS)], 0.0)
NOW = 100.0


def step(
    ordinal: int, seen: View | None, wanted: bool | None, history: History = SETTLED
) -> stopping.Step:
    me = ("etcd", url(f"etcd-{ordinal}"))
    return stopping.before_stop(seen, history, NOW, me, wanted)


@pytest.mark.parametrize("wanted", [True, None], ids=["wanted", "cannot be read, or going"])
def test_a_restart_never_changes_the_membership(wanted: bool | None) -> None:
    assert step(1, view(UNITS, leader=10), wanted) == stopping.Stop()
    assert step(0, view(UNITS, leader=10), wanted) == stopping.MoveLeader(UNITS[1])
    assert step(0, view(UNITS[:1], leader=10), wanted) == stopping.Stop()
    assert step(1, None, wanted) == stopping.Stop()


def test_leadership_goes_to_none_whose_log_is_far_behind() -> None:
    seen = view(UNITS, leader=14)
    late = {10: replace(seen.statuses[10], applied_index=0)}
    index = {14: replace(seen.statuses[14], raft_index=5000)}
    near = {i: replace(seen.statuses[i], applied_index=4990) for i in (11, 12, 13)}
    seen = replace(seen, statuses={**seen.statuses, **late, **index, **near})
    assert step(4, seen, wanted=True) == stopping.MoveLeader(UNITS[1])
    all_late = {i: replace(seen.statuses[i], applied_index=0) for i in (10, 11, 12, 13)}
    seen = replace(seen, statuses={**seen.statuses, **all_late})
    assert step(4, seen, wanted=True) == stopping.MoveLeader(UNITS[0])


@pytest.mark.parametrize(
    ("ordinal", "seen", "expected"),
    [
        pytest.param(4, view(UNITS, leader=10), stopping.Leave(UNITS[4]), id="the highest leaves"),
        pytest.param(
            4, view(UNITS, leader=14), stopping.MoveLeader(UNITS[0]), id="a leader moves first"
        ),
        pytest.param(
            4,
            view([SEED, UNITS[4]], leader=14),
            stopping.MoveLeader(SEED),
            id="a leader beside seeds alone moves, too",
        ),
        pytest.param(
            4,
            view([SEED, UNITS[3], UNITS[4]], leader=14),
            stopping.MoveLeader(UNITS[3]),
            id="to a unit, if there is another",
        ),
        pytest.param(
            3,
            view(UNITS, leader=10),
            rules.Wait("the highest ordinal leaves first: etcd-4"),
            id="one at a time",
        ),
        pytest.param(
            3, view(UNITS[:4], leader=10), stopping.Leave(UNITS[3]), id="it is my turn now"
        ),
        pytest.param(0, view(UNITS[:1]), stopping.Stop(), id="the last member stays"),
        pytest.param(4, view(UNITS[:4], leader=10), stopping.Stop(), id="removed already"),
        pytest.param(4, None, rules.Wait("no member answers"), id="nobody answers for now"),
        pytest.param(
            4,
            view([*UNITS[:4], member(14, "etcd-4", learner=True)], leader=10),
            stopping.Leave(member(14, "etcd-4", learner=True)),
            id="a learner",
        ),
    ],
)
def test_a_unit_that_is_scaled_away_leaves_by_itself(
    ordinal: int, seen: View | None, expected: stopping.Step
) -> None:
    assert step(ordinal, seen, wanted=False) == expected


def test_no_unit_leaves_while_another_is_sick() -> None:
    history = History(
        healthy_since=dict.fromkeys((10, 12, 13, 14), 0.0), sick_since={11: 0.0}, leader_index=100
    )
    seen = view(UNITS, leader=10, silent=[11])
    assert step(4, seen, False, history) == rules.Wait("not healthy: etcd-1")


def away(*ordinals: int, seconds: float = 61.0) -> History:
    gone = {10 + i for i in ordinals}
    healthy = {m.id: 0.0 for m in UNITS if m.id not in gone}
    return History(healthy, dict.fromkeys(gone, NOW - seconds), 100)


@pytest.mark.parametrize(
    ("members", "history", "me", "expected"),
    [
        pytest.param(UNITS, away(4), 0, UNITS[4], id="away for a minute"),
        pytest.param(UNITS, away(4, seconds=59), 0, None, id="not for long enough"),
        pytest.param(UNITS, away(4), 1, None, id="only the leader's unit looks"),
        pytest.param(UNITS[:3], away(1, 2), 0, None, id="no quorum without them"),
        pytest.param(UNITS, away(3, 4), 0, UNITS[4], id="two are away, the others suffice"),
        pytest.param(
            [*UNITS[:2], member(12, "etcd-2", learner=True)],
            away(2),
            0,
            member(12, "etcd-2", learner=True),
            id="an orphan learner",
        ),
        pytest.param(
            [*UNITS[:3], member(14, "other-0")], away(4), 0, None, id="none of this StatefulSet"
        ),
    ],
)
def test_who_is_away_for_good_is_found_by_the_leaders_unit(
    members: list[Member], history: History, me: int, expected: Member | None
) -> None:
    silent = [m.id for m in members if m.id in history.sick_since]
    seen = view(members, leader=10, silent=silent)
    assert stopping.abandoned(seen, history, NOW, "etcd", members[me]) == expected


def test_a_member_that_answers_is_not_away_however_late_its_log_is() -> None:
    assert stopping.abandoned(view(UNITS, leader=10), away(4), NOW, "etcd", UNITS[0]) is None


def test_whoever_leaves_leaves_a_quorum() -> None:
    """In every case there is: who is listed, who of them answers, which of those leads."""
    left = 0
    for states in itertools.product(("absent", "well", "silent"), repeat=1 + len(UNITS)):
        state = dict(zip([SEED, *UNITS], states, strict=True))
        members = [m for m in state if state[m] != "absent"]
        healthy = [m.id for m in members if state[m] == "well"]
        silent = [m.id for m in members if m.id not in healthy]
        history = healthy_since(healthy, 0.0)
        for leader in {*healthy[:1], *healthy[-1:]} or {0}:
            seen = view(members, silent=silent, leader=leader)
            for ordinal, wanted in itertools.product(range(len(UNITS)), (True, False, None)):
                found = step(ordinal, seen, wanted, history)
                if isinstance(found, stopping.Leave):
                    left += 1
                    assert wanted is False
                    assert found.member == UNITS[ordinal]
                    assert set(healthy) == {m.id for m in members}, "all others were healthy"
                    assert seen.leader != UNITS[ordinal]
                    assert len(members) > 1
    assert left > 50, "or little was judged"
