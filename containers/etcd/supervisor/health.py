"""What the kubelet and the sequences ask a supervisor: /livez, /readyz and /status.

The supervisor answers itself, because it waits for good reasons while no etcd runs (discovery,
joining, removed), and a member without quorum does not serve its client port at all.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .asking import ask_all
from .http_get import http_get
from .log import log
from .metrics import occupied

FRESH_SECONDS = 4.0
"""For how long an answer of etcd's readiness counts. The kubelet asks every second."""

REFUSAL_SECONDS = 10.0
"""For how long its refusal counts: without a quorum it takes etcd 7 s to give one."""

BEAT_SECONDS = 60.0
"""A main loop that has not passed for this long hangs; its longest step takes far less."""


class Health:
    """The state that probes see, written by the main loop and read by the server's threads."""

    def __init__(self, metrics_port: int) -> None:
        self._metrics_port = metrics_port
        self._phase = "starting"
        self._beat = time.monotonic()
        self._etcd_wanted = False
        self._etcd_answered = False
        self._ready_since: float | None = None
        self._ready_at = 0.0
        self._refused_at: float | None = None
        self.admitted = False
        """Whether the member may serve clients at all, if etcd is ready."""
        self.failed = False
        """Whether this seed can never run again as it is."""
        self.data: bool | None = None
        """Whether the volume holds data; None while it is not known: before the first look, and
        from an etcd's start on an empty volume to the next look, which is when it has ended."""
        self.exit_code: int | None = None
        """How etcd ended by itself, minus the signal's number where one ended it; None once it is
        started again."""

    def beat(self, phase: str, *, etcd: bool) -> None:
        """Tell that the main loop lives, in which phase, and whether etcd should be running."""
        if phase != self._phase:
            log(phase)
        if etcd:
            self.data, self.exit_code = self.data or None, None
        else:
            self._etcd_answered, self._ready_since = False, None
        self._phase, self._etcd_wanted, self._beat = phase, etcd, time.monotonic()

    def fail(self, reason: str) -> None:
        """Tell that this seed can never run again as it is; whoever reads that reads why."""
        self.beat(reason, etcd=False)
        self.failed = True

    def live(self) -> bool:
        """The loop lives, and etcd, once it has answered, goes on answering /livez.

        A starting etcd may be silent for long: in discovery and while it opens a large database
        its metrics port is not bound. So may one that defragments its database or loads another.
        """
        if time.monotonic() - self._beat > BEAT_SECONDS:
            return False
        if not self._etcd_wanted:
            return True
        if self._ask("/livez", 6):
            self._etcd_answered = True
            return True
        return not self._etcd_answered or occupied(self._metrics_port)

    def ready(self) -> bool:
        """Voter and linearizable: etcd's own /readyz (a learner's is 503 since 3.5.19 and 3.6)."""
        if not (self._etcd_wanted and self.admitted):
            self._ready_since = None
            return False
        asked = time.monotonic()
        ready, now = self._ask("/readyz"), time.monotonic()
        if not ready:
            self._ready_since, self._refused_at = None, now
            return False
        self._refused_at = None
        if self._ready_since is None or asked - self._ready_at > FRESH_SECONDS:
            self._ready_since = now
        self._ready_at = now
        return True

    def ready_seconds(self) -> float:
        """For how long the member has been ready without a break; 0 if it is not, or not known."""
        since, now = self._ready_since, time.monotonic()
        return 0.0 if since is None or now - self._ready_at > FRESH_SECONDS else now - since

    def refuses(self) -> bool:
        """Whether etcd itself says that it is not ready, while it neither defragments nor loads a
        snapshot. That nobody has asked it is no answer: a kubelet that is being restarted asks
        nobody."""
        at = self._refused_at
        refused = at is not None and time.monotonic() - at <= REFUSAL_SECONDS
        return refused and not occupied(self._metrics_port)

    def status(self) -> dict[str, object]:
        return {
            "phase": self._phase,
            "etcd": self._etcd_wanted,
            "admitted": self.admitted,
            "failed": self.failed,
            "data": self.data,
            "exitCode": self.exit_code,
            "readySeconds": round(self.ready_seconds(), 1),
        }

    def _ask(self, path: str, seconds: float = 7.5) -> bool:
        # etcd's /readyz may take 7 s without quorum. The kubelet's time-out is 8 s, and what is
        # asked where /livez does not answer takes its part.
        try:
            return http_get("127.0.0.1", self._metrics_port, path, seconds)[0] == HTTPStatus.OK
        except OSError:
            return False


def ready_seconds_of(hosts: Mapping[int, str], port: int) -> dict[int, float]:
    """What the supervisors of other members say of their readiness; 0 for who says nothing.

    `hosts`: by member ID. All are asked at the same time.
    """
    told = ask_all({i: partial(_ready_seconds_of, host, port) for i, host in hosts.items()})
    return {i: told.get(i, 0.0) for i in hosts}


def _ready_seconds_of(host: str, port: int) -> float:
    try:
        return float(json.loads(http_get(host, port, "/status", 1)[1])["readySeconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def serve(health: Health, port: int) -> None:
    """Answer on `port` from a thread of its own, until the process ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/status":
                self._answer(200, json.dumps(health.status()))
            elif self.path == "/livez":
                self._verdict(health.live())
            elif self.path == "/readyz":
                self._verdict(health.ready())
            else:
                self._answer(404, "not found")

        def _verdict(self, good: bool) -> None:
            self._answer(200 if good else 503, str(health.status()["phase"]))

        def _answer(self, code: int, text: str) -> None:
            body = f"{text}\n".encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A probe every second is no news."""

    server = ThreadingHTTPServer(("", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, name="health").start()
