"""Main loops that outlive whatever they did not reckon with, and their etcd with them."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from containers.etcd.supervisor import discovery, observer, seed, unit
from containers.etcd.supervisor.config import Config
from containers.etcd.supervisor.discovery import Discovery
from containers.etcd.supervisor.seed import Seed
from containers.etcd.supervisor.unit import Unit
from tests.support import members
from tests.support.ports import free_port
from tests.support.supervisor import Watched, eventually, passes, running

UNFORESEEN = "'<' not supported between instances of 'int' and 'str'"


def watched(folder: Path) -> tuple[Config, Watched]:
    config = members.config(folder, metrics_port=str(free_port()))
    return config, Watched(config.metrics_port)


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def fails(*_arguments: Any, **_more: Any) -> Any:
    raise TypeError(UNFORESEEN)


@pytest.mark.parametrize(
    ("role", "what", "where"),
    [
        pytest.param(Unit, (unit.Volume, "read"), "unit.py", id="unit"),
        pytest.param(Seed, (seed.Volume, "read"), "seed.py", id="seed"),
        pytest.param(Discovery, (discovery.flags, "discovery"), "discovery.py", id="discovery"),
    ],
)
def test_an_error_that_nobody_has_foreseen_is_told_and_waited_for(
    role: type[Unit | Seed | Discovery],
    what: tuple[Any, str],
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as broken, running(*watched(tmp_path), role) as health:
        broken.setattr(*what, fails)
        told = f"unforeseen TypeError in {where}:"
        eventually("it to be told", lambda: health.phase.startswith(told))
        assert health.phase.endswith(UNFORESEEN)
        assert health.status()["etcd"] is False
        passes(health, 2)
        broken.undo()
        eventually("it to be over", lambda: not health.phase.startswith(told))


@pytest.fixture
def etcd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """Stands for etcd, with data; the file that it writes says who runs, and how it was ended."""
    said = tmp_path / "said"
    program(
        tmp_path,
        "etcd",
        f"trap 'echo in order >> {said}; exit 0' TERM; echo $$ >> {said}; "
        "while :; do sleep 0.05; done",
    )
    log = tmp_path / "data" / "member" / "wal" / "0.wal"
    log.parent.mkdir(parents=True)
    log.touch()
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    # Nobody answers, without a lookup in DNS.
    monkeypatch.setattr(observer, "read_view", lambda _url: None)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(unit, "read_status", lambda _url: None)  # pyright: ignore[reportUnknownLambdaType]
    yield said
    with suppress(ProcessLookupError):
        os.kill(int(said.read_text().split()[0]), signal.SIGKILL)


def test_an_etcd_that_runs_goes_on_meanwhile(etcd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(*watched(etcd.parent)) as health:
        eventually("etcd to run", etcd.exists)
        monkeypatch.setattr(unit, "read_status", fails)
        eventually("it to be told", lambda: "unforeseen TypeError" in health.phase)
        passes(health, 2)
        assert health.status()["etcd"] is True
        assert len(etcd.read_text().splitlines()) == 1


def test_etcd_is_ended_in_order_though_a_unit_cannot_leave(
    etcd: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(unit.kubernetes, "wants", fails)
    with running(*watched(etcd.parent)):
        eventually("etcd to run", etcd.exists)
    assert etcd.read_text().splitlines()[1:] == ["in order"]
    assert "supervisor: unforeseen TypeError in " in capsys.readouterr().out
