"""A `pulumi up` that a test kills leaves nothing running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.stack import kill_session, until

# As Pulumi does with its plugins: a child that leads a process group of its own.
_PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
    " process_group=0)\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(60)\n"
)


def test_a_child_with_a_process_group_of_its_own_is_killed_too() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        child = Path("/proc", parent.stdout.readline().strip())
        assert child.exists()
        kill_session(parent.pid)
        assert parent.wait() == -9
        until("the end of the child", lambda: not child.exists() or " Z " in _stat(child), 10)


def _stat(process: Path) -> str:
    try:
        return (process / "stat").read_text()
    except OSError:
        return " Z "
