"""The etcd process: started, asked, told to stop. Signals reach it through here only."""

from __future__ import annotations

import signal
import subprocess
import time

from .log import log

STOP_SECONDS = 20.0
"""How long etcd may take to end after SIGTERM. With what a unit does before (LEAVE_SECONDS) this is
below the pods' grace period of 60 s."""

LONGEST_PAUSE_SECONDS = 10.0
"""Before etcd is started again after it failed. Kubernetes' own back-off would reach minutes."""


class Etcd:
    """At most one etcd at a time."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self.started_at = 0.0
        """Monotonic seconds of the last start."""

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self, arguments: list[str]) -> None:
        # The token is a secret: a v2 URL stands in --discovery, a v3 token in --discovery-token.
        log(f"starting etcd {' '.join(a for a in arguments if '-discovery' not in a)}")
        self._child = subprocess.Popen(["etcd", *arguments])
        self.started_at = time.monotonic()

    def take_exit_code(self) -> int | None:
        """The exit code of an etcd that has ended by itself, once; None if there is none."""
        if self._child is None or self._child.poll() is None:
            return None
        code = self._child.returncode
        self._child = None
        return code

    def back_off(self) -> float:
        """Seconds to wait before a start after a failure: more after each that came soon."""
        ran = time.monotonic() - self.started_at
        self._failures = 0 if ran > LONGEST_PAUSE_SECONDS else self._failures + 1
        # Seven make the longest pause, and two to the power of 1024 would be no float any more.
        return min(0.1 * 2 ** min(self._failures, 7), LONGEST_PAUSE_SECONDS)

    def stop(self) -> None:
        """End etcd as it wants to be ended: it hands leadership over on SIGTERM."""
        if self._child is None or self._child.poll() is not None:
            return
        self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log(f"etcd did not end within {STOP_SECONDS:.0f} s of SIGTERM; killing it")
            self._child.kill()
            self._child.wait()

    def kill(self) -> None:
        """End etcd at once, which its disk is made for; its exit code is nobody's news."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None
