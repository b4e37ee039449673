"""The fault suite's table."""

from __future__ import annotations

from tests.faults import report
from tests.faults.run import Run
from tests.faults.scenario import Limits, Outcome, Scenario, Step, Verdict


def _nothing(_: Run) -> None:
    """A scenario that is not played."""


KILLED = Scenario("1", "etcd killed", _nothing, rounds=2)


def _outcome(*gaps: float, problems: tuple[str, ...] = (), error: str = "") -> Outcome:
    steps = tuple(Step("kill -9", Limits(0.2, 15, 0.5), gap, 10 * gap, 2 * gap) for gap in gaps)
    return Outcome(KILLED, steps, problems, error)


def test_a_row_has_median_and_maximum_of_all_runs_and_rounds() -> None:
    rows = report.table([_outcome(0.1, 0.3), _outcome(0.12, 0.14)]).splitlines()
    assert rows[2] == (
        "| 1 | etcd killed | kill -9 | 2 (4 faults) "
        "| 0.13 / 0.30 | 0.2 | 0.26 / 0.60 | 0.5 | 1.30 / 3.00 | 15 | green |"
    )
    assert len(rows) == 3, "no reasons where all is green"


def test_every_run_that_is_not_green_is_told_with_its_reason() -> None:
    outcomes = [
        _outcome(0.1),
        _outcome(0.1, problems=("a key is missing",)),
        _outcome(error="Traceback\nValueError: 3"),
    ]
    text = report.table(outcomes)
    assert "| RED 1 of 3, ERROR 1 of 3 |" in text
    assert "- 1, run 2, RED: a key is missing" in text
    assert "- 1, run 3, ERROR: ValueError: 3" in text


def test_a_run_that_measured_nothing_has_a_row() -> None:
    text = report.table([_outcome(error="no lab")])
    assert "| 1 | etcd killed |  | 1 |  |  |  |  |  |  | ERROR 1 of 1 |" in text


def test_the_suites_own_failure_is_never_green() -> None:
    assert _outcome(0.1).verdict is Verdict.GREEN
    assert _outcome(0.1, problems=("lost",)).verdict is Verdict.RED
    assert _outcome(0.1, problems=("lost",), error="no lab").verdict is Verdict.ERROR
