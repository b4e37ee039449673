"""Looks at the membership list all the time and keeps every change of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.faults.cluster import API_FAILURES, UnwellError
from tests.faults.etcd_api import Listed, NoAnswerError, listed

_LOOK_SECONDS = 0.03
_FAILURES = (*API_FAILURES, NoAnswerError, UnwellError)


class MembershipWatch:
    """A thread for as long as the with statement lasts.

    `endpoints` says whom to ask: asked again whenever nobody has answered.
    """

    def __init__(self, endpoints: Callable[[], list[str]]) -> None:
        self._endpoints = endpoints
        self._lists: list[tuple[Listed, ...]] = []
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
    def lists(self) -> list[tuple[Listed, ...]]:
        """Every list that was seen and differs from the one before it."""
        return list(self._lists)

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
            elif not self._lists or found != self._lists[-1]:
                self._lists.append(found)


def _first_answer(endpoints: list[str]) -> tuple[Listed, ...] | None:
    """The list of the first that answers; who does not is asked last from then on."""
    for endpoint in tuple(endpoints):
        try:
            return listed(endpoint, seconds=0.3)
        except NoAnswerError:
            endpoints.append(endpoints.pop(0))
    return None
