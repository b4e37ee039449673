"""The lab's control groups: they hold its pods, and they know every process it started.

A process cannot leave its control group by forking, so `kill_all` finds what no list of pids
would: shims, what they started, and whatever was begun in the moment before a crash.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from lab.errors import LabError

_DAEMONS = "daemons"


def hierarchies() -> dict[Path, str]:
    """Return each mounted control group hierarchy with its kind, `cgroup` (v1) or `cgroup2`."""
    found: dict[Path, str] = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2"):
            found[Path(folder)] = kind
    return found


def create(name: str) -> None:
    """Make the control group `name` everywhere, ready to be the kubelet's cgroup root."""
    for root, kind in hierarchies().items():
        group = root / name
        group.mkdir(exist_ok=True)
        if kind == "cgroup2":
            _delegate(root)
            _delegate(group)
        else:
            _inherit_cpus(root, group)
    (_tracking() / name / _DAEMONS).mkdir(exist_ok=True)


def daemons_file(name: str) -> Path:
    """File to which a process writes 0 to become one of the lab's.

    One hierarchy is enough to track it; the others, and the limits they may carry, stay as they
    are for whoever ran the command.
    """
    return _tracking() / name / _DAEMONS / "cgroup.procs"


def remove(name: str, timeout_seconds: float = 20) -> None:
    """Kill every process of the control group `name` and remove it everywhere."""
    deadline = time.monotonic() + timeout_seconds
    while groups := _all_groups(name):
        _kill(groups)
        # Deepest first; the kernel lets go of a group a moment after its last process.
        for group in groups:
            with suppress(OSError):
                group.rmdir()
        if time.monotonic() > deadline:
            left = {pid: _command(pid) for pid in _pids(groups)}
            raise LabError(
                f"Control group {groups[-1]} cannot be removed after {timeout_seconds:.0f} s; "
                f"processes left in it: {left or 'none'}.",
                "run the command again; if it stays so, restart the machine",
            )
        time.sleep(0.02)


def _tracking() -> Path:
    """Return the hierarchy in which processes are tracked: v2 where mounted, else one of v1.

    v2 is first since it can kill a whole tree at once. Of v1, freezer and pids hold no limits
    that a process would lose by moving.
    """
    known = hierarchies()
    v2 = [root for root, kind in known.items() if kind == "cgroup2"]
    v1 = [root for root in known if root.name in ("freezer", "pids")]
    if not v2 + v1:
        raise LabError(
            "No control groups are mounted (looked for cgroup2, freezer and pids in "
            "/proc/self/mounts).",
            "mount -t cgroup2 none /sys/fs/cgroup",
        )
    return sorted(v2 or v1)[0]


def _delegate(group: Path) -> None:
    """Pass every controller on to the children, one by one: some are refused on some kernels."""
    for controller in (group / "cgroup.controllers").read_text().split():
        with suppress(OSError):
            (group / "cgroup.subtree_control").write_text(f"+{controller}")


def _inherit_cpus(root: Path, group: Path) -> None:
    """A new v1 cpuset is empty and accepts no process until it is told its CPUs and memory."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (group / file).exists():
            (group / file).write_text((root / file).read_text())


def _all_groups(name: str) -> list[Path]:
    """Return the control group and all below it in every hierarchy, children before parents."""
    return [
        Path(folder)
        for root in hierarchies()
        for folder, _, _ in os.walk(root / name, topdown=False)
    ]


def _kill(groups: list[Path]) -> None:
    for group in groups:
        with suppress(OSError):
            (group / "cgroup.kill").write_text("1")
    for pid in _pids(groups):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _pids(groups: list[Path]) -> set[int]:
    pids: set[int] = set()
    for group in groups:
        with suppress(OSError):
            pids.update(int(pid) for pid in (group / "cgroup.procs").read_text().split())
    return pids - {0, os.getpid()}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone"
