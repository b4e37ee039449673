"""Looks at the membership list all the time and keeps every change of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from tests.faults.cluster import API_FAILURES, UnwellError
from tests.faults.etcd_api import Listed, NoAnswerError, listed

_LOOK_SECONDS = 0.03
_FAILURES = (*API_FAILURES, NoAnswerError, UnwellError)


@dataclass(frozen=True)
class Sight:
    """One list, and for how long it was seen without a change."""

    members: tuple[Listed, ...]
    first: float = 0.0
    """Monotonic clock, seconds."""
    last: float = 0.0


class MembershipWatch:
    """A thread for as long as the with statement lasts.

    `endpoints` says whom to ask: asked again whenever nobody has answered.
    """

    def __init__(self, endpoints: Callable[[], list[str]]) -> None:
        self._endpoints = endpoints
        self._sights: list[Sight] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="membership", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def sights(self) -> list[Sight]:
        """Every list that was seen and differs from the one before it."""
        return list(self._sights)

    def _run(self) -> None:
        known: list[str] = []
        while not self._over.wait(_LOOK_SECONDS if known else 1.0):
            try:
                known = known or self._endpoints()
            except _FAILURES:
                continue
            found = _first_answer(known)
            if found is None:
                known = []  # pods get new addresses
            else:
                self._note(found, time.monotonic())

    def _note(self, found: tuple[Listed, ...], now: float) -> None:
        if self._sights and self._sights[-1].members == found:
            self._sights[-1] = replace(self._sights[-1], last=now)
        else:
            self._sights.append(Sight(found, now, now))


def _first_answer(endpoints: list[str]) -> tuple[Listed, ...] | None:
    """The list of the first that answers; who does not is asked last from then on."""
    for endpoint in tuple(endpoints):
        try:
            return listed(endpoint, seconds=0.3)
        except NoAnswerError:
            endpoints.append(endpoints.pop(0))
    return None
