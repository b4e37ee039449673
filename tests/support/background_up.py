"""A `pulumi up` that runs while something else is done to what it brings up."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bench.shell import Done, Line
from tests.support.stack import Result, Stack, until

_LOOK_SECONDS = 0.02


@contextmanager
def background_up(stack: Stack, log: Path) -> Generator[BackgroundUp]:
    """`pulumi up` for as long as the with statement lasts; one that still runs then is killed.

    A test that fails would leave it to work beside the next ones.
    """
    up = BackgroundUp(stack, log)
    try:
        yield up
    finally:
        up.end()


class BackgroundUp:
    """Started at once; `end` makes sure that nothing of it is left."""

    def __init__(self, stack: Stack, log: Path) -> None:
        self._stack = stack
        self._log = log
        log.touch()
        self._began, self._began_ns = time.monotonic(), time.time_ns()
        self._process = stack.start_up(log)
        self.lines: list[Line] = []
        """What it has said so far, and when."""
        self._ended_ns = 0
        self._listener = threading.Thread(target=self._listen, name="listening", daemon=True)
        self._listener.start()

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_for(self, text: str, seconds: float) -> None:
        """Until it says this. AssertionError at the deadline, or when it ends without."""
        until(
            f"`up` says {text!r}",
            lambda: text in self.output or not self.running,
            seconds,
            _LOOK_SECONDS,  # it goes on meanwhile, and is often to be killed where it is
        )
        assert text in self.output, f"`up` ended without {text!r}:\n{self.output}"

    def result(self, seconds: float) -> Result:
        """Wait for its end. AssertionError at the deadline."""
        try:
            until("`up` ends", lambda: not self.running, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says:\n{self.output}") from None
        return Result(self._process.wait(), self.output, time.monotonic() - self._began)

    def must_succeed(self, seconds: float) -> Result:
        done = self.result(seconds)
        assert done.code == 0, f"`up` failed: {done}"
        return done

    def silence_seconds(self) -> float:
        """Wait for its end; the longest time in which it said nothing but Pulumi's dots."""
        self._listener.join()
        seconds = (self._ended_ns - self._began_ns) / 1e9
        return Done(self._began_ns, seconds, tuple(self.lines)).silence_seconds

    def _listen(self) -> None:
        """Note when each line came, until there can be no more."""
        rest, running = "", True
        with self._log.open(errors="replace") as log:
            while running:
                running = self.running
                *lines, rest = (rest + log.read()).split("\n")
                self.lines += [Line(time.time_ns(), text) for text in lines]
                time.sleep(_LOOK_SECONDS if running else 0)
        self._ended_ns = time.time_ns()

    def last(self, seconds: float) -> None:
        """Let it run until so long after its begin, or until its own end."""
        ends = self._began + seconds
        while self.running and time.monotonic() < ends:
            time.sleep(_LOOK_SECONDS)

    def end(self) -> bool:
        """Kill it if it still runs, and let go of its lock; whether it has ended by that."""
        if self.running:
            self._stack.kill(self._process)
        return self._process.wait() == -signal.SIGKILL
