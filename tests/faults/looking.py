"""Looks at something again and again beside what a scenario does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from tests.faults.cluster import API_FAILURES
from tests.faults.scenario import SuiteError

_LOOK_SECONDS = 0.1


@contextmanager
def looking(look: Callable[[], None]) -> Generator[None]:
    """Look in a thread for as long as the with statement lasts. A look to which Kubernetes gives no
    answer is none.

    Raises SuiteError at the end where a look failed otherwise, since from then on nobody looked.
    """
    over = threading.Event()
    failures: list[Exception] = []

    def run() -> None:
        try:
            while not over.wait(_LOOK_SECONDS):
                with suppress(*API_FAILURES):
                    look()
        except Exception as failure:  # noqa: BLE001 - told below, where somebody hears it
            failures.append(failure)

    thread = threading.Thread(target=run, name="looking", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failures:
        raise SuiteError(f"nobody looked to the end: {failures[0]!r}")
