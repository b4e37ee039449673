"""Which unit that has failed on an older template restarts, and when none may."""

from __future__ import annotations

import pytest

from components.change import restarts
from components.change.plan import Goal, MoveLeader
from containers.etcd.supervisor.membership import Member
from tests.support.units import GOAL, NOW, UNITS, known, pods
from tests.support.views import member, view


def unit(
    ordinal: int,
    *,
    current: bool = False,
    ready: bool = False,
    ending: bool = False,
    on_the_way: bool = True,
    unheard: bool = False,
) -> restarts.Pod:
    return restarts.Pod(
        f"etcd-{ordinal}",
        current,
        ready,
        ending=ending,
        on_the_way=on_the_way and not unheard,
        unheard=unheard,
    )


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
        pytest.param(10, [], pods(), None, id="all are ready"),
        pytest.param(10, [12], pods(2, away=2), None, id="of the newest template already"),
        pytest.param(
            10,
            [12],
            [*pods()[:2], unit(2, ending=True)],
            None,
            id="one that is ending already",
        ),
        pytest.param(10, [12], pods()[:2], None, id="one that is not there"),
        pytest.param(
            10,
            [],
            [*pods()[:2], unit(2, unheard=True)],
            None,
            id="one whose node is silent, though it is well",
        ),
        pytest.param(
            12,
            [],
            [*pods()[:2], unit(2, unheard=True)],
            None,
            id="nor does such a one lose its leadership",
        ),
        pytest.param(
            10, [12], [*pods()[:2], unit(2, unheard=True)], None, id="nor if it may have died"
        ),
        pytest.param(
            10,
            [12],
            [unit(0, ready=True), unit(1), unit(2, current=True)],
            None,
            id="never a second while a voter of the newest template is not ready",
        ),
        pytest.param(
            10, [11, 12], [unit(0, ready=True), unit(1), unit(2)], None, id="no quorum without it"
        ),
        pytest.param(0, [12], pods(away=2), None, id="nobody leads"),
    ],
)
def test_what_has_failed_on_an_older_template_gets_the_newest(
    leader: int, silent: list[int], there: list[restarts.Pod], expected: restarts.Change | None
) -> None:
    """It waits for the very correction (Kubernetes: StatefulSet, "Forced rollback")."""
    seen = view(UNITS, leader=leader, silent=silent)
    assert restarts.mend(GOAL, seen, known(*silent), NOW, there) == expected


@pytest.mark.parametrize("count", [3, 5])
def test_what_has_failed_waits_while_another_is_not_settled(count: int) -> None:
    """Though with five the settled ones were a quorum: it may be one that is just renewed."""
    goal = Goal(seeds="etcd-seed", units="etcd", count=count)
    seen = view([member(10 + i, f"etcd-{i}") for i in range(count)], silent=[12])
    there = [unit(i, ready=i != 2) for i in range(count)]
    history = known(12, young=11, count=count)
    assert restarts.mend(goal, seen, history, NOW, there) is None


def test_of_several_that_have_failed_the_highest_is_first() -> None:
    goal = Goal(seeds="etcd-seed", units="etcd", count=5)
    seen = view([member(10 + i, f"etcd-{i}") for i in range(5)], silent=[11, 13])
    there = [unit(i, ready=i not in (1, 3)) for i in range(5)]
    step = restarts.mend(goal, seen, known(11, 13, count=5), NOW, there)
    assert step == restarts.Restart("etcd-3")


@pytest.mark.parametrize(
    ("silent", "expected"),
    [
        pytest.param([], restarts.Restart("etcd-2"), id="it is missed by nobody"),
        pytest.param([11], None, id="a member is not well"),
    ],
)
def test_what_has_failed_and_is_no_member_gets_the_newest_too(
    silent: list[int], expected: restarts.Restart | None
) -> None:
    seen = view(UNITS[:2], silent=silent)
    assert restarts.mend(GOAL, seen, known(12, *silent), NOW, pods(away=2)) == expected


@pytest.mark.parametrize(
    "joiner",
    [
        pytest.param([], id="who is not a member yet"),
        pytest.param([member(13, "etcd-3", learner=True)], id="a learner"),
    ],
)
def test_what_has_failed_does_not_wait_for_those_who_wait_for_it(joiner: list[Member]) -> None:
    """Nobody joins beside a voter that is not well."""
    goal = Goal(seeds="etcd-seed", units="etcd", count=5)
    voters = [member(10 + i, f"etcd-{i}") for i in (0, 1, 2, 4)]
    seen = view([*voters, *joiner], silent=[14])
    there = [unit(i, current=i == 3, ready=i < 3) for i in range(5)]
    history = known(14, 13, count=5)
    assert restarts.mend(goal, seen, history, NOW, there) == restarts.Restart("etcd-4")


@pytest.mark.parametrize(
    ("third", "young"),
    [
        pytest.param(member(12, "etcd-2", learner=True), None, id="a learner that catches up"),
        pytest.param(member(12, "etcd-2"), 12, id="a voter for less than 5 s"),
    ],
)
def test_who_is_on_the_way_has_not_failed(third: Member, young: int | None) -> None:
    seen = view([*UNITS[:2], third])
    assert restarts.mend(GOAL, seen, known(young=young), NOW, pods(away=2)) is None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([], id="Kubernetes has made no pod"),
        pytest.param([unit(1, current=True, on_the_way=False)], id="there is no room for its pod"),
        pytest.param([unit(1, ending=True, on_the_way=False)], id="its node is dead"),
        pytest.param([unit(1, unheard=True)], id="its node is silent"),
    ],
)
def test_what_has_failed_does_not_wait_for_whom_nobody_brings(other: list[restarts.Pod]) -> None:
    goal = Goal(seeds="etcd-seed", units="etcd", count=5)
    seen = view([member(10 + i, f"etcd-{i}") for i in range(5)], silent=[11, 14])
    there = [unit(i, ready=i != 4) for i in (0, 2, 3, 4)] + other
    history = known(11, 14, count=5)
    assert restarts.mend(goal, seen, history, NOW, there) == restarts.Restart("etcd-4")


@pytest.mark.parametrize(
    ("there", "ended", "expected"),
    [
        pytest.param([unit(0)], ["etcd-0"], restarts.Restart("etcd-0"), id="the only one"),
        pytest.param(
            [unit(0), unit(1), unit(2)],
            ["etcd-1", "etcd-2"],
            restarts.Restart("etcd-2"),
            id="the highest",
        ),
        pytest.param(
            [unit(0), unit(1), unit(2)],
            ["etcd-1"],
            restarts.Restart("etcd-1"),
            id="no etcd that runs: the quorum may come back",
        ),
        pytest.param(
            [unit(0), unit(1, ending=True, on_the_way=False), unit(2, ready=True)],
            ["etcd-0"],
            restarts.Restart("etcd-0"),
            id="though another is on a dead node",
        ),
        pytest.param([unit(0)], [], restarts.Restart("etcd-0"), id="the only one, always"),
        pytest.param([unit(0, unheard=True)], [], None, id="the only one, on a silent node"),
        pytest.param([unit(0, current=True)], ["etcd-0"], None, id="of the newest template"),
        pytest.param(
            [restarts.Pod("etcd-0", False, False, lasting=False)],
            ["etcd-0"],
            None,
            id="its data would go",
        ),
    ],
)
def test_where_no_cluster_answers_those_restart_in_which_etcd_has_ended(
    there: list[restarts.Pod], ended: list[str], expected: restarts.Restart | None
) -> None:
    assert restarts.mend_unserved(there, ended) == expected
