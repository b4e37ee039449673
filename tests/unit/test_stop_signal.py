"""A supervisor that is told to stop, in a process of its own as in the pod."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import os, signal, sys, threading
from containers.etcd.supervisor.stop_signal import told_to_stop

stop = told_to_stop()

def refused(_thread):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refused
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
sys.exit(0 if stop.wait(5) else "in vain")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_supervisor_is_told_to_stop_where_no_thread_can_be_started_any_more(name: str) -> None:
    """As at the pod's limit of processes, of which each thread is one."""
    command = [sys.executable, "-c", _PROGRAM, name]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
