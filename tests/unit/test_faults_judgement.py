"""What the fault suite calls red."""

from __future__ import annotations

from typing import cast

import pytest

from tests.faults import judgement
from tests.faults.cluster import Cluster
from tests.faults.etcd_api import Listed
from tests.faults.membership_watch import Sight
from tests.faults.scenario import Limits, Step
from tests.faults.scenarios.killed import Tokens
from tests.support.writer import Listed as ReportedMember
from tests.support.writer import Report, Summary, Write

SECOND = 1_000_000_000
UNITS = ("etcd-0", "etcd-1")


def _summary(**changes: object) -> Summary:
    whole: dict[str, object] = {
        "acknowledged": 9,
        "failed": 0,
        "errors": {},
        "first_ack_ns": 0,
        "last_ack_ns": 1,
        "longest_gap_seconds": 0.0,
        "longest_gap_began_ns": 0,
        "rate_per_second": 250.0,
        "reads": 9,
        "failed_reads": 0,
        "read_errors": {},
        "stale_reads": [],
    }
    return Summary(**{**whole, **changes})  # type: ignore[arg-type]  # names and types are above


def _report(names: tuple[str, ...] = UNITS, problems: tuple[str, ...] = ()) -> Report:
    listed: list[ReportedMember] = [
        {"id": name, "name": name, "peer_urls": [], "learner": False} for name in names
    ]
    return Report(9, 9, [], listed, 0, list(problems))


@pytest.mark.parametrize(
    ("summary", "report", "expected"),
    [
        pytest.param(_summary(), _report(), "", id="all is well"),
        pytest.param(_summary(), _report(problems=("key is missing",)), "missing", id="lost"),
        pytest.param(_summary(stale_reads=["old"]), _report(), "old", id="stale read"),
        pytest.param(
            _summary(errors={"rpc not supported for learner": 1}),
            _report(),
            "learner",
            id="a writer was led to a learner",
        ),
        pytest.param(
            _summary(read_errors={"rpc not supported for learner": 1}),
            _report(),
            "learner",
            id="a reader was led to a learner",
        ),
        pytest.param(_summary(), _report(("etcd-0",)), "the list is", id="a unit is missing"),
        pytest.param(
            _summary(), _report((*UNITS, "etcd-9")), "the list is", id="somebody else is listed"
        ),
    ],
)
def test_no_broken_promise_of_the_history_goes_unseen(
    summary: Summary, report: Report, expected: str
) -> None:
    problems = judgement.of_history(summary, report, UNITS)
    assert len(problems) == (1 if expected else 0)
    assert expected in "".join(problems)


@pytest.mark.parametrize(
    ("gap", "heal", "reasons"),
    [
        pytest.param(0.2, 15.0, 0, id="at the limits"),
        pytest.param(0.21, 15.0, 1, id="gap too long"),
        pytest.param(0.1, 15.1, 1, id="healed too late"),
        pytest.param(9.0, 99.0, 2, id="both"),
        pytest.param(None, None, 0, id="not measured"),
    ],
)
def test_a_figure_over_its_limit_is_a_reason(
    gap: float | None, heal: float | None, reasons: int
) -> None:
    limited = Step("killed", Limits(0.2, 15), gap, heal)
    assert len(judgement.of_steps([limited])) == reasons
    assert judgement.of_steps([Step("killed", Limits(), gap, heal)]) == []


def _member(number: int, *, learner: bool = False, name: str = "") -> Listed:
    return Listed(str(number), name, f"http://etcd-{number}.peer:2380", learner)


FIRST, SECOND_UNIT = _member(0, name="etcd-0"), _member(1, name="etcd-1")
SEED = Listed("9", "etcd-seed-0", "http://etcd-seed-0.peer:2380", learner=False)


def _sights(lists: list[tuple[Listed, ...]], pause: float = 0.05) -> list[Sight]:
    """As they are seen by somebody who looks after every `pause` seconds."""
    return [Sight(members, first=n * pause, last=n * pause) for n, members in enumerate(lists)]


@pytest.mark.parametrize(
    ("lists", "good"),
    [
        pytest.param([(FIRST, _member(1))], True, id="there from the beginning"),
        pytest.param([(FIRST,), (FIRST, _member(1, learner=True))], True, id="as a learner"),
        pytest.param(
            [(FIRST,), (FIRST, _member(1, name="etcd-1"))], True, id="promoted between two looks"
        ),
        pytest.param([(FIRST,), (FIRST, _member(1))], False, id="added as a voter"),
        pytest.param([(FIRST,), (), (FIRST,)], True, id="out of sight for a while"),
    ],
)
def test_a_member_that_was_added_as_a_voter_is_seen(
    lists: list[tuple[Listed, ...]], *, good: bool
) -> None:
    assert (judgement.of_membership(_sights(lists), ()) == []) is good


def test_members_go_one_at_a_time() -> None:
    lists = [(FIRST, SECOND_UNIT, _member(2, name="etcd-2")), (FIRST,)]
    at_once = ["etcd-1, etcd-2 were removed at once"]
    assert judgement.of_membership(_sights(lists), ()) == at_once
    assert judgement.of_membership(_sights(lists, pause=9), ()) == [], "nobody looked meanwhile"
    another = Listed("77", "etcd-0", "http://etcd-0.peer:2380", learner=False)
    assert judgement.of_membership(_sights([lists[0], (another,)]), ()) == [], "another cluster"


@pytest.mark.parametrize(
    ("left", "good"),
    [
        pytest.param((FIRST, SECOND_UNIT), True, id="all units vote"),
        pytest.param((FIRST,), False, id="a unit is missing"),
        pytest.param((FIRST, _member(1, learner=True)), False, id="a unit is a learner"),
    ],
)
def test_a_seed_goes_only_while_all_units_vote(left: tuple[Listed, ...], *, good: bool) -> None:
    sights = _sights([(SEED, *left), left])
    assert (judgement.of_membership(sights, UNITS) == []) is good


LISTED, REMOVED = (SEED, FIRST, SECOND_UNIT), (FIRST, SECOND_UNIT)


@pytest.mark.parametrize(
    ("seen", "good"),
    [
        pytest.param([(LISTED, "9", 0), (REMOVED, "9", 6)], False, id="removed as the leader"),
        pytest.param(
            [(LISTED, "9", 0), (LISTED, "0", 6), (REMOVED, "0", 7)], True, id="an outage before it"
        ),
        pytest.param(
            [(LISTED, "9", 0), (LISTED, "1", 6), (REMOVED, "1", 7)], True, id="moved before it"
        ),
        pytest.param([(LISTED, "9", 0), (REMOVED, "1", 6)], True, id="moved between two looks"),
        pytest.param(
            [(LISTED, "1", 0), (LISTED, "9", 6), (REMOVED, "9", 7)], True, id="elected just before"
        ),
        pytest.param(
            [(LISTED, "9", 0), (REMOVED, "9", 6), (LISTED, "9", 7)], True, id="a list that is late"
        ),
        pytest.param([(REMOVED, "9", 0), (REMOVED, "9", 6)], True, id="never listed"),
        pytest.param([], True, id="nobody answered"),
    ],
)
def test_a_leader_that_is_removed_without_a_move_is_seen(
    seen: list[tuple[tuple[Listed, ...], str, float]], *, good: bool
) -> None:
    sights = [Sight(members, leader, at, at) for members, leader, at in seen]
    told = [] if good else ["etcd-seed-0 was removed while it led"]
    assert judgement.of_membership(sights, UNITS) == told


def test_seeds_that_run_while_the_token_is_replaced_are_two_tokens_in_use() -> None:
    tokens = Tokens(cast("Cluster", None))
    tokens.note("a", ["1", "2"])
    tokens.note("", ["1", "2"])
    assert tokens.mixed == [], "the token is gone, its seeds are ending"
    tokens.note("b", ["3"])
    assert tokens.mixed == [], "other seeds for another token"
    tokens.note("b", ["2", "3"])
    assert tokens.mixed == ["2"]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        pytest.param(0.0, 9.0, 3.0, id="the longest of all"),
        pytest.param(0.0, 1.5, 1.0, id="what lies in the span"),
        pytest.param(3.0, 4.0, 3.0, id="one that begins before the span and ends after it"),
        pytest.param(7.0, 9.0, 2.0, id="no write in the span or after it"),
    ],
)
def test_a_gap_counts_where_it_overlaps_the_fault(
    since: float, until: float, expected: float
) -> None:
    writes = [write(second, second) for second in (0, 1, 2, 5, 6)]
    found = judgement.gap(writes, int(since * SECOND), int(until * SECOND))
    assert found.seconds == expected


def test_of_a_gap_it_is_told_when_it_was_and_what_became_of_the_writes_in_it() -> None:
    writes = [
        write(0, 1),
        write(0.5, 0.7, error="before it"),
        write(1, 1.2, error="timeout"),
        write(1, 1.9, error="timeout"),
        write(1, 2),
        write(2, 2.1, error="after it"),
    ]
    found = judgement.gap(writes, int(0.75 * SECOND), 9 * SECOND)
    assert found.seconds == 1
    assert found.story == (
        "it began 0.25 s after the fault, 2 writes failed, the slowest after 0.90 s (timeout)"
    )
    alone = judgement.gap([write(0, 1), write(1, 2)], SECOND, 9 * SECOND)
    assert alone.story == "it began 0.00 s after the fault, 0 writes failed"


def test_of_the_acknowledged_writes_those_of_the_span_are_counted() -> None:
    writes = [write(0, 1), write(1, 2), write(1, 2.5, error="timeout"), write(2, 3), write(3, 4)]
    assert judgement.acknowledged(writes, 2 * SECOND, 3 * SECOND) == 2
    assert judgement.acknowledged(writes, 5 * SECOND, 9 * SECOND) == 0


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        pytest.param(0.0, 9.0, 1.5, id="the longest of one client, whatever the others do"),
        pytest.param(4.0, 5.0, 0.5, id="one that began before the span"),
        pytest.param(8.0, 9.0, 1.0, id="one that lasts to the end of the log"),
        pytest.param(5.5, 6.0, 0.0, id="none in the span"),
    ],
)
def test_a_clients_failures_count_from_the_first_to_the_next_acknowledged_write(
    since: float, until: float, expected: float
) -> None:
    writes = [
        write(0, 0.5, error="timeout", client=1),
        write(0.5, 1, error="timeout", client=1),
        write(1, 1.25, client=2),
        write(1, 1.5, client=1),
        write(1.5, 2, error="timeout", client=2),
        write(2, 2.25, client=2),
        write(3.75, 4, error="timeout", client=1),
        write(4, 4.25, client=1),
        write(7, 7.5, error="timeout", client=1),
        write(7.5, 8, error="timeout", client=1),
    ]
    assert judgement.failing(writes, int(since * SECOND), int(until * SECOND)) == expected
    assert judgement.failing([], 0, SECOND) == 0


def test_a_client_that_failed_for_too_long_is_a_reason() -> None:
    step = Step("rolled", Limits(client_seconds=0.5), 0.1, 0.1, 0.6)
    (problem,) = judgement.of_steps([step])
    assert problem == "rolled: 0.60 s of failed writes of one client, allowed are 0.5 s"


def write(start: float, end: float, error: str = "", client: int = 0) -> Write:
    entry: Write = {
        "key": "k",
        "value": "v",
        "revision": 1,
        "start_ns": int(start * SECOND),
        "end_ns": int(end * SECOND),
        "client": client,
    }
    return {**entry, "error": error} if error else entry
