"""Many lives, one after the other, and the search for a life that shows a broken rule."""

from __future__ import annotations

import random
import time
from collections import Counter

from tests.simulation.broken import Broken
from tests.simulation.promises import BrokenPromiseError, Promise
from tests.simulation.world import live

SEARCH_SECONDS = 60.0
"""For how long a broken rule is looked for."""


def any_life() -> int:
    """A number to begin with, so that each run lives other lives."""
    return random.SystemRandom().randrange(10**9)


def live_through(first: int, lives: int) -> tuple[int, Counter[Promise]]:
    """Return the steps of all these lives, and how often each promise was at stake.

    Raises BrokenPromiseError, which names the life.
    """
    steps, held = 0, Counter[Promise]()
    for life in range(first, first + lives):
        diary = live(life)
        steps += int(diary.now)
        held += diary.held
    return steps, held


def found_after(broken: Broken, first: int) -> int | None:
    """How many lives it took until the rule was seen to break its promise; None: it was not."""
    began, life = time.monotonic(), first
    with broken.applied():
        while time.monotonic() - began < SEARCH_SECONDS:
            try:
                live(life, only=broken.breaks)
            except BrokenPromiseError:
                return life - first + 1
            life += 1
    return None
