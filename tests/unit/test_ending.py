"""A program whose language host has ended does not live on, whatever it waits for."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components import ending

PROGRAM = """
import threading
from components import ending
ending.with_the_language_host()
print(threading.active_count(), flush=True)
threading.Event().wait()
"""
HOST = f"""
import subprocess, sys
child = subprocess.Popen([sys.argv[1], "-c", {PROGRAM!r}], stdout=subprocess.PIPE)
threads = int(child.stdout.readline())
print(child.pid, threads, flush=True)
child.wait()
"""
ROOT = Path(__file__).parents[2]


@contextmanager
def program_of(host: Path) -> Generator[tuple[subprocess.Popen[str], int, int]]:
    """A host of that name; of the program that it runs a descriptor and the number of threads."""
    host.symlink_to(sys.executable)
    process = subprocess.Popen(
        [host, "-c", HOST, sys.executable], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        found, threads = map(int, process.stdout.readline().split())
        program = os.pidfd_open(found)
        try:
            yield process, program, threads
        finally:
            if not gone(program, 0):
                signal.pidfd_send_signal(program, signal.SIGKILL)
            os.close(program)
            process.kill()
            process.wait()


def gone(program: int, seconds: float) -> bool:
    return bool(select.select([program], [], [], seconds)[0])


def test_it_ends_with_its_host(tmp_path: Path) -> None:
    with program_of(tmp_path / "pulumi-language-python") as (host, program, _):
        assert not gone(program, 0), "the host is there"
        host.kill()
        assert gone(program, 10)


def test_a_system_that_cannot_tell_of_an_end_is_no_reason_to_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def refused(process: int) -> int:
        asked.append(process)
        raise PermissionError

    def host(_process: int) -> str:
        return "pulumi-language"

    monkeypatch.setattr(os, "pidfd_open", refused)
    monkeypatch.setattr("components.ending._name", host)
    ending.with_the_language_host()
    assert asked == [os.getppid()]


@pytest.mark.parametrize("name", ["python3", "pytest"])
def test_it_is_nobody_elses(tmp_path: Path, name: str) -> None:
    """As under a test, or a debugger."""
    with program_of(tmp_path / name) as (_, program, threads):
        assert not gone(program, 0)
        assert threads == 1, "nothing waits for that one"
