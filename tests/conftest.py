"""Several tests at a time, two workers with a lab each, and a few tests that run alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from tests.support.workers import pytest_xdist_make_scheduler

__all__ = ["pytest_xdist_make_scheduler"]
"""Hooks of pytest's that stand elsewhere."""

# A busy machine makes a test slow, and no test here is about time.
hypothesis.settings.register_profile("untimed", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("untimed")

LONGEST = (
    "test_scaling.py",
    "test_gke_stack.py",
    "test_bad_input.py",
    "test_lost_state.py",
    "test_retained.py",
    "test_make.py",
    "test_dead_node.py",
    "test_gke_readme.py",
    "test_interrupted.py",
    "test_discovery_modes.py",
    "test_small_quota.py",
    "test_balanced.py",
    "test_lab.py",
)
"""The end-to-end tests' files, the longest about first: a file is one worker's, and the many short
tests after them fill what is left, so that none waits for another at the end. The last two have
tests that run alone, which wait less where others are short."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the files in that order; within a file nothing changes."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


class Room:
    """Where tests run: several at a time, or one that must be alone. Locks of flock(2)."""

    def __init__(self) -> None:
        self._room = os.open(Path(__file__).parent, os.O_RDONLY)
        # Kept shut by a test that waits to be alone, or others would go in before it for ever.
        self._door = os.open(__file__, os.O_RDONLY)
        self._alone = False

    def enter(self, *, alone: bool) -> None:
        """Wait for the room, which is left meanwhile: two that waited in it would wait for ever."""
        if self._alone:
            return
        fcntl.flock(self._room, fcntl.LOCK_UN)
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._door, fcntl.LOCK_UN)
        self._alone = alone

    def let_others_in(self) -> None:
        if self._alone:
            fcntl.flock(self._room, fcntl.LOCK_SH)
            self._alone = False

    def leave(self) -> None:
        """Nothing for who is alone and stays so."""
        if not self._alone:
            fcntl.flock(self._room, fcntl.LOCK_UN)


_room = Room()


def must_be_alone(item: pytest.Item | None) -> bool:
    return item is not None and item.get_closest_marker("alone") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Run a test beside others; one that must be alone, and its like after it, from its call on."""
    _room.enter(alone=False)
    try:
        return (yield)
    finally:
        if not (must_be_alone(item) and must_be_alone(nextitem)):
            _room.let_others_in()
        _room.leave()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Wait to be alone once the fixtures are there."""
    if must_be_alone(item):
        _room.enter(alone=True)
    return (yield)
