"""How long members have been well, and what may only be done among those who have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from containers.etcd.supervisor import rules
from containers.etcd.supervisor.membership import History, observe
from tests.support.views import healthy_since, member, view


@pytest.mark.parametrize(
    ("healthy_for", "silent", "allowed"),
    [
        pytest.param(5.0, (), True, id="all settled"),
        pytest.param(4.9, (), False, id="one not for 5 s"),
        pytest.param(60.0, (3,), False, id="one does not answer"),
    ],
)
def test_membership_changes_only_among_settled_voters(
    healthy_for: float, silent: tuple[int, ...], allowed: bool
) -> None:
    members = [member(i, f"etcd-seed-{i}") for i in (1, 2, 3)]
    seen = view(members, silent=silent)
    history = healthy_since([i for i in (1, 2, 3) if i not in silent], 100.0 - healthy_for)
    assert (rules.unsettled(seen, history, 100.0) is None) is allowed


@pytest.mark.parametrize(
    ("me", "healthy_since", "allowed"),
    [
        pytest.param(2, {2: 98.0}, True, id="the first goes when others could join"),
        pytest.param(2, {2: 98.5}, False, id="another may be about to join"),
        pytest.param(2, {}, False, id="the first has not caught up"),
        pytest.param(3, {2: 99.0, 3: 90.0}, False, id="behind one that may go any moment"),
        pytest.param(3, {3: 96.0}, False, id="the other is away, but I am young"),
        pytest.param(3, {3: 94.0}, True, id="the other is away"),
        pytest.param(3, {2: 94.0, 3: 94.0}, True, id="both have shown the 5 s of a voter"),
    ],
)
def test_of_two_learners_no_one_is_promoted_beside_a_young_voter(
    me: int, healthy_since: dict[int, float], allowed: bool
) -> None:
    members = [
        member(1, "etcd-seed-0"),
        member(2, "etcd-0", learner=True),
        member(3, "etcd-1", learner=True),
    ]
    seen = view(members, silent=[i for i in (2, 3) if i not in healthy_since])
    history = History(healthy_since={1: 0.0, **healthy_since}, leader_index=100)
    mine = next(m for m in members if m.id == me)
    assert (rules.unready_to_vote(seen, history, mine, 100.0) is None) is allowed


def test_a_learner_waits_while_a_voter_is_not_settled() -> None:
    members = [member(1, "etcd-seed-0"), member(2, "etcd-0", learner=True)]
    history = History(healthy_since={1: 97.0, 2: 0.0})
    assert rules.unready_to_vote(view(members), history, members[1], 100.0) is not None
    assert rules.unready_to_vote(view(members), history, members[1], 102.0) is None


def test_what_others_have_seen_counts_for_who_has_just_begun_to_look() -> None:
    members = [member(1, "etcd-0"), member(2, "etcd-1")]
    told = {1: 3600.0, 2: 2.0}
    first = observe(History(), view(members), 100.0, told)
    assert [first.healthy_for(m, 100.0) for m in members] == [0, 0], "nothing to measure by yet"
    later = observe(first, view(members), 100.2, told)
    assert later.healthy_for(members[0], 100.2) == pytest.approx(3600)
    assert later.healthy_for(members[1], 100.2) == pytest.approx(2)
    sick = observe(later, view(members, silent=[1], leader=2), 100.4, told)
    assert sick.healthy_for(members[0], 100.4) == -1, "what is seen counts more"


def test_what_others_say_of_before_a_break_counts_no_more() -> None:
    """The kubelet's Ready outlasts three refusals, and a supervisor is asked once a second."""
    members = [member(1, "etcd-0"), member(2, "etcd-1")]
    told = {1: 3600.0, 2: 3600.0}
    history = observe(History(), view(members), 100.0, told)
    history = observe(history, view(members, silent=[2]), 101.0, told)
    for now in (102.0, 103.0, 104.0):
        history = observe(history, view(members), now, told)
        assert history.healthy_for(members[0], now) == pytest.approx(3600, abs=10)
        assert history.healthy_for(members[1], now) == now - 102.0
    assert rules.unsettled(view(members), history, 104.0) is not None
    assert rules.unsettled(view(members), history, 107.0) is None
    told = {2: 2.5}
    later = observe(history, view(members), 104.0, told)
    assert later.healthy_for(members[1], 104.0) == 2.5, "of after it they may know more"


def test_a_member_that_was_late_once_under_load_was_ready_all_the_same() -> None:
    members = [member(1, "etcd-0"), member(2, "etcd-1")]
    told = {1: 3600.0, 2: 3600.0}
    history = observe(History(), view(members, index=100), 100.0, told)
    history = observe(history, view(members, index=200, applied={2: 99}), 100.1, told)
    assert history.healthy_for(members[1], 100.1) == -1
    history = observe(history, view(members, index=300), 100.2, told)
    assert history.healthy_for(members[1], 100.2) == pytest.approx(3600)


@pytest.mark.parametrize(
    ("now", "asked"),
    [
        pytest.param(11.0, [2], id="who is not settled, of the others that answer"),
        pytest.param(25.0, [2, 3], id="all of them, after a time without a look"),
    ],
)
def test_voters_are_asked_where_their_age_matters(now: float, asked: list[int]) -> None:
    members = [*(member(i, f"etcd-{i - 1}") for i in (1, 2, 3, 4)), member(5, "x-0", learner=True)]
    seen = view(members, silent=(4,))
    history = replace(healthy_since([1, 3, 5], 0.0), seen_at=10.0)
    found = rules.of_unknown_age(seen, history, now, members[0].peer_url)
    assert [m.id for m in found] == asked


def test_a_member_that_lags_is_not_healthy() -> None:
    members = [member(1, "etcd-0"), member(2, "etcd-1")]
    first = observe(History(), view(members, applied={1: 500, 2: 500}, index=500), 0.0)
    later = observe(first, view(members, applied={1: 900, 2: 450}, index=900), 1.0)
    assert set(later.healthy_since) == {1}
    assert later.sick_for(members[1], 3.0) == 2.0


def test_health_is_forgotten_at_the_first_break() -> None:
    members = [member(1, "etcd-0"), member(2, "etcd-1")]
    history = observe(History(), view(members), 0.0)
    history = observe(history, view(members, silent=(2,)), 10.0)
    history = observe(history, view(members), 11.0)
    assert history.healthy_for(members[0], 12.0) == 12.0
    assert history.healthy_for(members[1], 12.0) == 1.0
