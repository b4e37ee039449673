"""Lines that `pulumi up` shows while a sequence works, and waits that always end.

What a dynamic provider prints appears in the CLI's output within the second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

MOST_SECONDS = 7200
"""The most that `handover.timeoutSeconds` may be."""

SILENCE_SECONDS = 8.0
"""A wait tells its state after this long, so that a person never wonders (goal: 10 s)."""


class SequenceError(Exception):
    """A sequence cannot go on. The text is for people: what, observed, and the one next step."""

    def __init__(self, problem: str, next_step: str) -> None:
        super().__init__(f"{problem}\nNext: {next_step}")
        self.problem = problem
        self.next_step = next_step


@dataclass(frozen=True)
class Unmet:
    """An attempt's answer when its condition does not hold yet."""

    reason: str
    """For people: what is missing, how far it is."""


@dataclass
class Progress:
    """Reports one sequence, and measures its phases."""

    name: str
    timeout_seconds: int
    started: float = field(default_factory=time.monotonic)
    by_setting: bool = False
    """Whether the deadline is `handover.timeoutSeconds`."""
    phases: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds that each finished phase took."""
    _last: dict[str, str] = field(default_factory=dict[str, str])
    _last_at: float = field(default_factory=time.monotonic)
    _news_at: float = field(default_factory=time.monotonic)
    _phase_at: float = field(default_factory=time.monotonic)

    @staticmethod
    def of(name: str, props: Mapping[str, Any]) -> Progress:
        """Of a sequence whose resource is given its deadline (timeout_seconds)."""
        return Progress(name, int(props["timeout_seconds"]), by_setting=True)

    def say(self, text: str, about: str = "") -> None:
        """Print `text` if it is not what was printed last about the same thing."""
        if text != self._last.get(about):
            self._last[about] = text
            self._print(text)
            self._news_at = self._last_at

    def hint(self, text: str) -> None:
        """Print `text` only to break a long silence: for what changes at every look."""
        if time.monotonic() - self._last_at >= SILENCE_SECONDS:
            self._print(text)

    @property
    def stands_still(self) -> bool:
        """Whether there has been no news for so long that a person may wonder why."""
        return time.monotonic() - self._news_at >= SILENCE_SECONDS

    def _print(self, text: str) -> None:
        self._last_at = time.monotonic()
        print(f"[{self.name}] {self._last_at - self.started:5.1f} s  {text}", flush=True)

    def phase_done(self, phase: str) -> None:
        """End the current phase under this name."""
        now = time.monotonic()
        self.phases[phase] = round(now - self._phase_at, 2)
        self._phase_at = now

    def began(self, now: datetime) -> datetime:
        """When it has begun, by the clock that says `now`."""
        return now - timedelta(seconds=time.monotonic() - self.started)

    @property
    def expired(self) -> bool:
        return time.monotonic() - self.started > self.timeout_seconds

    def or_longer(self, next_step: str) -> str:
        """What to do at the deadline: `next_step`, or more time, if nothing is broken: images that
        are pulled slowly, and disks that are slow to follow, take it unit by unit."""
        longer = min(2 * self.timeout_seconds, MOST_SECONDS)
        if not self.by_setting or longer <= self.timeout_seconds:
            return next_step
        return (
            f"{next_step}; or give it more time: pulumi config set --path "
            f"etcd:handover.timeoutSeconds {longer}, then pulumi up"
        )

    def wait(
        self,
        what: str,
        attempt: Callable[[], T | Unmet],
        next_step: str,
        *,
        poll_seconds: float = 0.1,
        limit_seconds: float | None = None,
        least_seconds: float = 0.0,
    ) -> T:
        """Repeat `attempt` until it returns something else than Unmet.

        Raises SequenceError at the deadline, or after `limit_seconds`, with `what`, the reason
        last given, and `next_step`; not before `least_seconds`, for what comes last and is begun
        late.
        """
        began = time.monotonic()
        while True:
            found = attempt()
            if not isinstance(found, Unmet):
                return found
            self.hint(f"waiting for {what}: {found.reason}")
            waited = time.monotonic() - began
            over = self.expired or (limit_seconds is not None and waited > limit_seconds)
            if over and waited >= least_seconds:
                raise SequenceError(
                    f"timed out after {waited:.0f} s, waiting for {what}: {found.reason}",
                    self.or_longer(next_step) if self.expired else next_step,
                )
            time.sleep(poll_seconds)
