"""Questions to others, asked at the same time and given up after a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import TypeVar

ANSWER_SECONDS = 2.5
"""With the name's lookup. Without DNS the C library tries for most of a minute, and two of these
are longer than the main loop may take (BEAT_SECONDS): members would be ended for it."""

K = TypeVar("K")
V = TypeVar("V")


def ask_all(questions: Mapping[K, Callable[[], V]]) -> dict[K, V]:
    """The answers that come within ANSWER_SECONDS. A question that raises OSError has none.

    Nothing can end a lookup: one that is given up ends by itself in its thread.
    """
    found: dict[K, V] = {}

    def ask(key: K, question: Callable[[], V]) -> None:
        with suppress(OSError):
            found[key] = question()

    until = time.monotonic() + ANSWER_SECONDS
    asking = [Thread(target=ask, args=asked, daemon=True) for asked in questions.items()]
    with suppress(RuntimeError):  # no thread to be had, and no reason to end etcd
        for thread in asking:
            thread.start()
    for thread in asking:
        if thread.ident is not None:  # it was started
            thread.join(max(0.0, until - time.monotonic()))
    return dict(found)  # what comes later changes nothing any more
