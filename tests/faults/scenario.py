"""What a scenario is, and what comes out of a run of it. Plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.run import Run


@dataclass(frozen=True)
class Limits:
    """What must hold for one fault. None: no figure is set, only that it ends."""

    gap_seconds: float | None = None
    """Longest time without an acknowledged write, from the fault until all is well again."""
    heal_seconds: float | None = None
    """From the end of the fault (a kill has no length) until all is well again."""
    client_seconds: float | None = None
    """Longest time in which the writes of one client failed, one after the other."""


@dataclass(frozen=True)
class Step:
    """One fault as it was made and what it cost."""

    fault: str
    limits: Limits
    gap_seconds: float | None = None
    heal_seconds: float | None = None
    client_seconds: float | None = None


@dataclass(frozen=True)
class Scenario:
    """One scenario of the list; a letter after the number tells its variants apart."""

    key: str
    title: str
    play: Callable[[Run], None]
    """Makes the faults. Raises AssertionError where something does not hold."""
    rounds: int = 1
    """How often the faults are made within one run."""
    from_nothing: bool = False
    """Whether it begins without a cluster; else with a balanced one that is well."""


class SuiteError(Exception):
    """A fault could not be made as the scenario wants it: nothing is known about the product."""


class Verdict(StrEnum):
    GREEN = "green"
    RED = "RED"
    ERROR = "ERROR"
    """The suite itself failed: nothing is known about the product."""


@dataclass(frozen=True)
class Outcome:
    """One run of a scenario."""

    scenario: Scenario
    steps: tuple[Step, ...] = ()
    problems: tuple[str, ...] = ()
    """What did not hold, one sentence each."""
    error: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)
    """What a reader may want to know beside the figures."""

    @property
    def verdict(self) -> Verdict:
        if self.error:
            return Verdict.ERROR
        return Verdict.RED if self.problems else Verdict.GREEN
