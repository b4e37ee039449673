"""A killed `pulumi` never leaves the lab's stacks locked, and a running one is never disturbed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab import locks


def _lock(backend: Path, content: str) -> Path:
    lock = backend / ".pulumi/locks/organization/etcd/dev/x.json"
    lock.parent.mkdir(parents=True)
    lock.write_text(content)
    return lock


@pytest.mark.parametrize("content", ['{"pid": 4194303}', "", '{"pi', '{"pid": 1}'])
def test_the_lock_of_a_dead_process_goes(content: str, tmp_path: Path) -> None:
    lock = _lock(tmp_path, content)
    locks.clear_stale(tmp_path)
    assert not lock.exists()


def test_the_lock_of_a_living_pulumi_stays(tmp_path: Path) -> None:
    waits = [sys.executable, "-c", "print(flush=True); input()", "pulumi"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        lock = _lock(tmp_path, json.dumps({"pid": process.pid}))
        locks.clear_stale(tmp_path)
        process.communicate(b"\n")
    assert lock.exists()
