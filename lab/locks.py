"""Pulumi's locks on the lab's own state, where a killed CLI leaves one behind."""

import json
from pathlib import Path


def clear_stale(backend: Path) -> None:
    """Remove the locks of processes that live no more; one of a living process stays.

    The state is a folder of this machine, so the process that a lock names can be looked up;
    elsewhere a person has to say `pulumi cancel`.
    """
    for lock in backend.glob(".pulumi/locks/**/*.json"):
        try:
            pid = int(json.loads(lock.read_text())["pid"])
        except (ValueError, KeyError):
            pid = 0  # half written, by a process that was killed over it
        if not pid or not _lives(pid):
            lock.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        return b"pulumi" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
