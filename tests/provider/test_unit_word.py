"""What a birth concludes from what a real unit's supervisor says of itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from components.birth.volatile import holds_data
from tests.support.ports import free_port
from tests.support.supervisor import Supervisor, eventually, supervisors


def program(path: Path, code: int) -> Path:
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("code", [0, 1])
def test_a_unit_with_data_is_never_taken_for_one_without(tmp_path: Path, code: int) -> None:
    """Nor between two starts of etcd, when nothing runs; as after a join since it started."""
    with supervisors() as known:
        nowhere = f"http://127.0.0.1:{free_port()}"
        etcd, etcdctl = program(tmp_path / "etcd", code), program(tmp_path / "etcdctl", 1)
        programs = {"etcd": etcd, "etcdctl": etcdctl}
        unit = Supervisor(programs, tmp_path / "unit", "etcd-0", cluster_url=nowhere)
        known.append(unit)
        unit.start()
        eventually("the unit to wait", lambda: holds_data(unit.status()) is False)

        log = tmp_path / "unit" / "data" / "member" / "wal" / "0.wal"
        log.parent.mkdir(parents=True)
        log.touch()
        eventually("etcd to end", lambda: f"etcd ended with {code}" in unit.status()["phase"])
        assert unit.status()["exitCode"] in (code, None), "None: it has been started again"
        said: list[bool | None] = []
        for _ in range(20):
            said.append(holds_data(unit.status()))
            time.sleep(0.1)
        assert False not in said

        assert unit.stop() == 0
        unit.start()
        eventually("its volume to be known", lambda: holds_data(unit.status()) is True)
