"""Looks at the membership list and its leader all the time and keeps every change of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from tests.faults.cluster import API_FAILURES, UnwellError
from tests.faults.etcd_api import Listed, NoAnswerError, listed, said

_LOOK_SECONDS = 0.03
_FAILURES = (*API_FAILURES, NoAnswerError, UnwellError)


@dataclass(frozen=True)
class Sight:
    """What one member said of list and leader, and for how long it was seen without a change."""

    members: tuple[Listed, ...]
    leader: str = "0"
    """The leader's ID; 0 if it knows none."""
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
        """All that was seen and differs from what was seen before it."""
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

    def _note(self, found: Sight, now: float) -> None:
        if self._sights:
            latest = self._sights[-1]
            if (latest.members, latest.leader) == (found.members, found.leader):
                self._sights[-1] = replace(latest, last=now)
                return
        self._sights.append(replace(found, first=now, last=now))


def _first_answer(endpoints: list[str]) -> Sight | None:
    """What the first says that answers; who does not is asked last from then on.

    The list before the leader: `judgement.of_leaders` is sound in this order only.
    """
    for endpoint in tuple(endpoints):
        try:
            return Sight(listed(endpoint, seconds=0.3), said(endpoint, seconds=0.3).leader)
        except NoAnswerError:
            endpoints.append(endpoints.pop(0))
    return None
