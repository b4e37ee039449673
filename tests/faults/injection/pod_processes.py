"""The processes of a pod's container, by the control group that the lab's kubelet made for it.

So only what this project has started can ever be hit, whatever else runs on the machine.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import cgroups
from lab.addresses import Addresses

_PATIENCE_SECONDS = 10.0


class NotRunningError(LookupError):
    """What was looked for in a pod does not run now."""


@dataclass(frozen=True)
class Container:
    """The one container of a member's pod, as long as it lives."""

    groups: tuple[Path, ...]
    """Its control group in every hierarchy that has it."""

    def pids(self) -> list[int]:
        """All its processes, as this machine counts them; none when it has ended."""
        for group in self.groups:
            try:
                return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
            except FileNotFoundError:
                continue
        return []

    def supervisor(self) -> int:
        """The process that is number 1 in the container. Raises NotRunningError if it has ended."""
        return self._one("the supervisor", lambda pid: _own_number(pid) == 1)

    def etcd(self) -> int:
        """Raises NotRunningError if none does."""
        return self._one("etcd", lambda pid: _program(pid) == "etcd")

    def has_etcd(self) -> bool:
        return any(_program(pid) == "etcd" for pid in self.pids())

    def group_in(self, controller: str) -> Path:
        """The control group in the (first version) hierarchy of one controller.

        Raises LookupError where the machine has no such hierarchy.
        """
        for group in self.groups:
            if controller in group.parts:
                return group
        raise LookupError(f"no control group of controller {controller} in {self.groups}")

    def _one(self, what: str, fits: Callable[[int], bool]) -> int:
        found = [pid for pid in self.pids() if fits(pid)]
        if len(found) != 1:
            raise NotRunningError(f"{what} is not one process but {found} in {self.groups}")
        return found[0]


def container_of(addresses: Addresses, pod: dict[str, Any]) -> Container:
    """The container that runs in a pod now. Raises NotRunningError if none does."""
    (state,) = pod["status"].get("containerStatuses") or [{}]
    name = state.get("containerID", "").rpartition("/")[2]
    uid = pod["metadata"]["uid"]
    found = [
        group
        for root in cgroups.hierarchies()
        for group in (root / addresses.kernel_name).glob(f"kubepods/**/pod{uid}/{name}")
        if name
    ]
    if not found:
        raise NotRunningError(f"pod {pod['metadata']['name']} runs no container now")
    return Container(tuple(found))


@contextmanager
def stopped(pid: int) -> Generator[None]:
    """A process that stands still, with all its threads, and goes on at the end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while _stat(pid)[0] != "T":
            assert time.monotonic() < deadline, f"process {pid} does not stop"
            time.sleep(0.005)
        yield
    finally:
        # It may have been killed meanwhile, by the kubelet say.
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGCONT)


def kill(pid: int) -> None:
    """SIGKILL; return when the process is gone."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while _stat(pid)[0] not in "ZX":
        assert time.monotonic() < deadline, f"process {pid} does not die"
        time.sleep(0.005)


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return ""


def _own_number(pid: int) -> int:
    """The number that a process has for itself, in the innermost namespace."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[-1]) for line in lines if line.startswith("NSpid:"))


def _stat(pid: int) -> str:
    """A process' state, one letter (proc_pid_stat(5)); X when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
