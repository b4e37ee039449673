"""A `pulumi up` that a test kills leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.background_up import background_up
from tests.support.stack import Stack, kill_session, until

# As Pulumi does with its plugins: a child that leads a process group of its own.
_PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
    " process_group=0)\n"
    "print(child.pid, flush=True, file=open(sys.argv[1], 'w') if sys.argv[1:] else None)\n"
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
        has_ended(child)


def test_a_test_that_is_over_its_time_leaves_nothing_of_the_command_it_waits_for(
    tmp_path: Path,
) -> None:
    class OverTimeError(Exception):
        pass

    def over(*_: object) -> None:
        raise OverTimeError

    stack = Stack("x", os.environ, tmp_path / "stack", known=True)
    before = signal.signal(signal.SIGUSR1, over)
    note = tmp_path / "child"
    try:
        alarm = (
            f"import os, time\nwhile not os.path.exists({str(note)!r}) "
            f"or not open({str(note)!r}).read(): time.sleep(0.01)\n"
            f"os.kill({os.getpid()}, {int(signal.SIGUSR1)})"
        )
        with (
            subprocess.Popen([sys.executable, "-c", alarm]),
            pytest.raises(OverTimeError),
        ):
            stack.run(sys.executable, "-c", _PARENT, str(note))
    finally:
        signal.signal(signal.SIGUSR1, before)
    has_ended(Path("/proc", note.read_text().strip()))


def test_an_up_in_the_background_does_not_outlive_the_test_that_fails_beside_it(
    tmp_path: Path,
) -> None:
    """What stands for Pulumi: `up` has a child that would go on with its sequence."""
    note, program = tmp_path / "child", tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport sys\nif sys.argv[1] != 'up':\n    sys.exit()\n"
        f"sys.argv[1:] = [{str(note)!r}]\n{_PARENT}"
    )
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    stack = Stack("x", {**os.environ, "PATH": path}, tmp_path / "stack", known=True)

    def fail_beside_it() -> None:
        with background_up(stack, tmp_path / "log"):
            until("the child", lambda: note.exists() and note.read_text())
            raise AssertionError("red")

    with pytest.raises(AssertionError, match="red"):
        fail_beside_it()
    has_ended(Path("/proc", note.read_text().strip()))


def has_ended(process: Path) -> None:
    until("the end of the child", lambda: not process.exists() or " Z " in _stat(process))


def _stat(process: Path) -> str:
    try:
        return (process / "stat").read_text()
    except OSError:
        return " Z "
