"""SIGTERM and SIGINT, by which a supervisor is told to stop."""

from __future__ import annotations

import os
import signal
from threading import Event, Thread
from types import FrameType


def told_to_stop() -> Event:
    """An event that either signal sets, from now on. To be called in the main thread."""
    stop = Event()
    told, tell = os.pipe()

    def await_signal() -> None:
        os.read(told, 1)
        stop.set()

    # Before it is needed: at the pod's limit of processes no thread can be started.
    Thread(target=await_signal, daemon=True, name="signals").start()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        # Not set from here: the loop that was interrupted may hold the event's lock, for ever then.
        os.write(tell, b".")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop
