"""Start the lab's programs, and know which of them live.

A pid alone says nothing: it is given to another process in time. Here a process is its pid
together with its start time, which the kernel never gives out twice in one boot.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab import cgroups
from lab.addresses import Addresses
from lab.errors import LabError, log_tail
from lab.state import Lab, boot_id, write_record

# Joins the lab's control group first and then becomes the program, so that no process of the lab
# is ever outside. A group that `down` has removed meanwhile ends the start.
_JOIN = 'cd / && echo 0 > "$1" && shift && exec "$@"'


@dataclass(frozen=True)
class Process:
    """A program that was started, as recorded on disk."""

    name: str
    pid: int
    start_ticks: int
    boot: str
    argv: list[str]
    env: dict[str, str]

    @property
    def alive(self) -> bool:
        return self.boot == boot_id() and _start_ticks(self.pid) == self.start_ticks


def start(
    lab: Lab,
    addresses: Addresses,
    name: str,
    argv: Sequence[str | Path],
    env: Mapping[str, str] | None = None,
) -> None:
    """Start a program in the lab's network namespace; it outlives this process.

    Its output goes to `logs/NAME.log`. Of the environment it gets PATH and `env` alone: a proxy
    that the caller uses is no way to the lab's own addresses.
    """
    lab.logs.mkdir(parents=True, exist_ok=True)
    log = lab.logs / f"{name}.log"
    pid = os.posix_spawn(
        shutil.which("sh") or "/bin/sh",
        inside(lab, addresses, argv),
        {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(lab.state), **(env or {})},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable()),
        ],
        setsid=True,
    )
    record = {
        "pid": pid,
        "start_ticks": _start_ticks(pid),
        "boot": boot_id(),
        "argv": [str(word) for word in argv],
        "env": dict(env or {}),
    }
    folder = lab.state / "processes"
    folder.mkdir(exist_ok=True)
    write_record(folder / f"{name}.json", record)


def revive(lab: Lab, addresses: Addresses) -> list[str]:
    """Start those programs again that have ended, each on what it left; return their names."""
    # Of one that is ended and not collected Docker's Engine believes that it runs.
    reap(lab)
    ended = [process for process in recorded(lab) if not process.alive]
    for process in ended:
        start(lab, addresses, process.name, process.argv, process.env)
    return [process.name for process in ended]


def _inheritable() -> list[int]:
    """Open files that a child would get: a lock that the caller of this program holds, say, which
    a daemon would then hold for as long as it lives."""
    numbers = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    found: list[int] = []
    for number in numbers:
        # The listing itself had one open, which is closed again.
        with suppress(OSError):
            if number > 2 and os.get_inheritable(number):
                found.append(number)
    return found


def inside(lab: Lab, addresses: Addresses, argv: Sequence[str | Path]) -> list[str]:
    """Return the command that runs `argv` in the lab's network namespace and control group.

    Also short-lived helpers run so: `down` then ends them too, whatever became of their caller.
    """
    group = cgroups.daemons_file(addresses.kernel_name)
    enter = ["nsenter", f"--net={lab.network_namespace}"]
    return ["sh", "-c", _JOIN, "sh", str(group), *enter, *map(str, argv)]


def recorded(lab: Lab) -> list[Process]:
    """Return every program that was started for the lab, dead or alive, by name."""
    found: list[Process] = []
    for file in sorted((lab.state / "processes").glob("*.json")):
        found.append(Process(name=file.stem, **json.loads(file.read_text())))
    return found


def reap(lab: Lab) -> None:
    """Collect the ended programs that are children of this very process (a test run, say)."""
    for process in recorded(lab):
        with suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def wait(lab: Lab, program: str, problem: Callable[[], str], timeout_seconds: float = 60) -> None:
    """Wait until `problem` finds nothing any more.

    Raises LabError with the end of the program's log when the time is over, and at once where one
    of the lab's programs has stopped.
    """
    deadline = time.monotonic() + timeout_seconds
    while observed := problem():
        # Any of them: the one that is not ready may only be waiting for it.
        for process in recorded(lab):
            if not process.alive:
                raise _failed(lab, process.name, "has stopped")
        if time.monotonic() > deadline:
            raise _failed(lab, program, f"is not ready after {timeout_seconds:.0f} s: {observed}")
        time.sleep(0.05)


def wait_for_file(lab: Lab, program: str, file: Path) -> None:
    """Wait until a program has made `file` (its socket)."""
    wait(lab, program, lambda: "" if file.exists() else f"there is no {file}", 20)


def _failed(lab: Lab, program: str, problem: str) -> LabError:
    log = lab.logs / f"{program}.log"
    return LabError(
        f"{program} {problem}; the end of its log:\n{log_tail(log)}",
        f"read the whole log at {log}",
    )


def _start_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 where it is dead or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # The name, in brackets, may hold spaces; the fields are counted after it.
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in ("Z", "X") else int(fields[19])
