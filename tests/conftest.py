"""Several tests at a time, each worker with a lab of its own, and a few tests that run alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOM = Path(__file__).parent
"""Locked while a test runs: by several at a time, or by one that must be alone."""

_DOOR = Path(__file__)
"""Kept shut by a test that waits to be alone, or others would go in before it for ever."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test and its fixtures beside others, or alone if it is marked so."""
    alone = item.get_closest_marker("alone") is not None
    with _opened(_ROOM) as room:
        with _opened(_DOOR) as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        return (yield)


@contextmanager
def _opened(path: Path) -> Generator[int]:
    """A file or folder of which a lock (flock(2)) lasts as long as the with statement."""
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)
