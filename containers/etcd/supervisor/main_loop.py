"""The main loop of every role: step after step, whatever one of them runs into.

A supervisor that ends takes its etcd with it, and what one unit runs into the others do as well.
So no error of a step ends it: it is logged, and the step is taken again.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from threading import Event

from .health import Health
from .process import Etcd

IDLE_SECONDS = 1.0
"""Between two steps while nothing is about to change."""
WATCH_SECONDS = 0.2
"""Between two steps while something is."""


def keep_on(step: Callable[[], float], health: Health, etcd: Etcd, stop: Event) -> None:
    """Take steps until told to stop. Each returns the seconds to wait before the next one."""
    while not stop.is_set():
        try:
            pause = step()
        except Exception as error:  # noqa: BLE001 - of any kind: see above
            health.beat(words_for(error), etcd=etcd.running)
            pause = IDLE_SECONDS
        stop.wait(pause)


def words_for(error: Exception) -> str:
    """What is said of an error. One of the disk, or for want of a process, may come to everybody;
    any other is a mistake in this program, and has its place in it. To be called with one that was
    raised from here."""
    if isinstance(error, OSError):
        return f"cannot use the disk or start a process: {error}"
    frames = ((Path(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__))
    *_, (file, line) = (f for f in frames if f[0].parent == Path(__file__).parent)
    return f"unforeseen {type(error).__name__} in {file.name}:{line}: {error}"
