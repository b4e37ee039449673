"""Real supervisor processes with real etcd, side by side on loopback.

In a pod every member has an address of its own; here they share one, and each has its own ports.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from containers.etcd.supervisor.config import Config
from containers.etcd.supervisor.discovery import Discovery
from containers.etcd.supervisor.health import Health
from containers.etcd.supervisor.seed import Seed
from containers.etcd.supervisor.unit import Unit
from tests.support.members import environment
from tests.support.ports import free_port

H = TypeVar("H", bound=Health)
T = TypeVar("T")

_PACKAGE = Path(__file__).resolve().parent.parent.parent / "containers" / "etcd"
_PATIENCE_SECONDS = 120.0
"""A green test needs none of it, and a busy machine has stood still for many seconds."""


class Watched(Health):
    """Notes each pass of the main loop."""

    def __init__(self, metrics_port: int) -> None:
        super().__init__(metrics_port)
        self.phases: list[str] = []

    def beat(self, phase: str, *, etcd: bool) -> None:
        self.phases.append(phase)
        super().beat(phase, etcd=etcd)

    @property
    def phase(self) -> str:
        return str(self.status()["phase"])


def passes(health: Watched, times: int) -> None:
    """Return when the main loop has passed so often."""
    before = len(health.phases)
    eventually("the main loop to pass", lambda: len(health.phases) >= before + times)


def eventually(what: str, holds: Callable[[], bool]) -> None:
    """Return when `holds` does; AssertionError after two minutes.

    Half of the time is left to what is waited for: many a look is a process of its own.
    """
    told(what, lambda: holds() or None)


def told(what: str, ask: Callable[[], T | None]) -> T:
    """The first answer that is one, whatever it says; asked like `eventually`.

    For questions that are given up after a second or two, which None then stands for.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        began = time.monotonic()
        answer = ask()
        if answer is not None:
            return answer
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(max(0.05, time.monotonic() - began))


def when_possible(command: Callable[[], str]) -> str:
    """Run etcdctl again and again while it fails, as during an election; its own error at the end.

    It may have been done though its answer was lost: for what does no harm when it is done twice.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return command()
        except subprocess.SubprocessError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class Supervisor:
    """One member: its ports, its disk, and the process that runs now."""

    def __init__(
        self,
        programs: Mapping[str, Path],
        directory: Path,
        name: str,
        discovery: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        """`discovery`: what stands in the files of a seed's Secret."""
        keys = ("client_port", "peer_port", "metrics_port", "health_port")
        ports = {key: str(free_port()) for key in keys}
        directory.mkdir()
        self.name = name
        self.token = (discovery or {}).get("token", "")
        if discovery:
            secret = directory.with_suffix(".secret")
            secret.mkdir()
            for key, value in discovery.items():
                (secret / key).write_text(value)
            settings["discovery_directory"] = str(secret)
        self.url = f"http://127.0.0.1:{ports['client_port']}"
        self.peer_url = f"http://127.0.0.1:{ports['peer_port']}"
        self.metrics_port = int(ports["metrics_port"])
        self._health_port = int(ports["health_port"])
        self._log = directory.with_suffix(".log")
        self._etcdctl = programs["etcdctl"]
        self.settings = environment(
            directory,
            name=name,
            client_url=self.url,
            peer_url=self.peer_url,
            **ports,
            **settings,
        )
        """What the pod template would say, as environment variables."""
        self.env = {
            **self.settings,
            "PATH": os.pathsep.join(str(p.parent) for p in programs.values()),
            "PYTHONPATH": str(_PACKAGE),
            "PYTHONDONTWRITEBYTECODE": "1",
            # As in every pod; here nobody is there.
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": "1",
        }
        """What its process gets when it is started: those, and where the programs are."""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor", "run"], env=self.env, stdout=log, stderr=log
            )
        eventually("the supervisor's port", lambda: self.probe("/livez") != 0)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; return the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(_PATIENCE_SECONDS)

    def end(self) -> None:
        """Leave no process behind."""
        if self._process is not None and self._process.poll() is None:
            etcd = self.etcd_pid()
            self._process.kill()
            self._process.wait()
            if etcd is not None:
                _kill(etcd)

    def etcd_pid(self) -> int | None:
        """The etcd that the supervisor has started, if one runs."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for child in map(int, children):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/exe").readlink().name == "etcd":
                    return child
        return None

    def kill_etcd(self) -> None:
        etcd = self.etcd_pid()
        assert etcd is not None
        os.kill(etcd, signal.SIGKILL)
        eventually("the end of etcd", lambda: self.etcd_pid() != etcd)

    def probe(self, path: str) -> int:
        """The status code of an answer; 0 for none."""
        connection = http.client.HTTPConnection("127.0.0.1", self._health_port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    @property
    def ready(self) -> bool:
        return self.probe("/readyz") == 200

    @property
    def live(self) -> bool:
        return self.probe("/livez") == 200

    def status(self) -> dict[str, Any]:
        """What `python -m supervisor status` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "supervisor", "status"],
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    def log(self) -> str:
        return self._log.read_text()

    def ctl(self, *arguments: str, stdin: str = "") -> str:
        """Run etcdctl against this member's etcd."""
        return subprocess.run(
            [str(self._etcdctl), "--endpoints", self.url, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout

    def is_led(self) -> bool:
        """Whether a quorum answers through this member, be it ready or not."""
        try:
            return "is healthy" in self.ctl("endpoint", "health")
        except subprocess.SubprocessError:
            return False

    def members(self) -> dict[str, int]:
        """The membership as this member sees it, once it answers: ID by name."""
        listed = json.loads(when_possible(lambda: self.ctl("member", "list", "-w", "json")))
        return {m.get("name", ""): m["ID"] for m in listed["members"]}

    def resident_bytes(self) -> int:
        """Memory of the supervisor alone."""
        status = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        (line,) = (entry for entry in status if entry.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024


def _kill(pid: int) -> None:
    """Return when it has ended, be it just now by itself."""
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [], _PATIENCE_SECONDS)
        finally:
            os.close(process)


@contextlib.contextmanager
def supervisors() -> Generator[list[Supervisor]]:
    """A list to put supervisors in; all that is in it is ended at the end."""
    known: list[Supervisor] = []
    try:
        yield known
    finally:
        for supervisor in known:
            supervisor.end()


@contextlib.contextmanager
def running(
    config: Config,
    health: H,
    member: type[Unit | Seed | Discovery] = Unit,
    stop: threading.Event | None = None,
) -> Generator[H]:
    """A member's main loop, in a thread of its own. `stop`: by which it is told to stop earlier."""
    stop = stop or threading.Event()
    loop = threading.Thread(target=member(config, health, stop).run)
    loop.start()
    try:
        yield health
    finally:
        stop.set()
        loop.join()
