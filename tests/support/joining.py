"""A unit's main loop with real etcd, on loopback, and the cluster that it joins.

The cluster is a member like the discovery service's. Kubernetes' answer is given, since its address
in a pod is fixed.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from containers.etcd.supervisor import kubernetes, rules, termination
from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from containers.etcd.supervisor.config import from_environment
from containers.etcd.supervisor.etcdctl import read_view
from containers.etcd.supervisor.membership import View
from lab.tools import ensure
from tests.support.loopback import LoopbackEtcd, loopback_etcd
from tests.support.supervisor import (
    Supervisor,
    Watched,
    eventually,
    passes,
    running,
    supervisors,
    told,
    when_possible,
)


@dataclass
class Member:
    """A unit that can be run, and the cluster that it joins."""

    programs: dict[str, Path]
    cluster: Supervisor
    unit: Supervisor
    volume: Path
    starts: Path
    """One line for each start of the unit's etcd."""

    def running(self, stop: Event | None = None) -> AbstractContextManager[Watched]:
        config = from_environment(self.unit.settings)
        return running(config, Watched(config.metrics_port), stop=stop)

    def start_count(self) -> int:
        return len(self.starts.read_text().splitlines()) if self.starts.exists() else 0


@contextmanager
def joining(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Member]:
    """A unit that has a disk without data, and a cluster that has one member and is born."""
    programs = ensure(["etcd", "etcdctl"])
    with supervisors() as known:
        cluster = Supervisor(programs, tmp_path / "cluster", "etcd-seed-0", role="discovery")
        known.append(cluster)
        cluster.start()
        eventually("the cluster to be ready", lambda: cluster.ready)
        when_possible(lambda: cluster.ctl("put", BIRTH_KEY, "the mark"))
        unit = Supervisor(
            programs,
            tmp_path / "unit",
            "etcd-0",
            cluster_url=cluster.url,
            quota_bytes=str(4 * 1024**2),
        )
        starts = let_it_join(programs, unit, tmp_path, monkeypatch)
        monkeypatch.setattr(termination, "ELSEWHERE_SECONDS", 0)
        yield Member(programs, cluster, unit, tmp_path / "unit", starts)


def let_it_join(
    programs: Mapping[str, Path], unit: Supervisor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give the answers that a pod has from Kubernetes and from DNS, whose names are members'.

    Returns a file that gets one line for each start of the unit's etcd.
    """
    starts, wrapper = folder / "starts", folder / "etcd"
    wrapper.write_text(
        f'#!/bin/sh\necho "$*" >> {starts}\n'
        f"exec {programs['etcd']} "
        f'$(echo "$*" | sed -E \'s|127={unit.peer_url}|{unit.name}={unit.peer_url}|; '
        "s|127=(http://127[.]0[.]0[.]1:([0-9]+))|peer\\2=\\1|g')\n"
    )
    wrapper.chmod(0o755)
    path = (str(folder), str(programs["etcdctl"].parent), os.environ["PATH"])
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    monkeypatch.setattr(kubernetes, "wants", wanted)
    # Nobody's test is about how long a voter must be well: that is tests/unit/test_rules.py.
    monkeypatch.setattr(rules, "SETTLE_SECONDS", 0.5)
    return starts


@contextmanager
def three_others(member: Member, directory: Path) -> Generator[LoopbackEtcd]:
    """A cluster in the place of the usual one that is a quorum without the unit, and answers."""
    names = ["a", "b", "c"]
    with loopback_etcd(member.programs, directory, names) as others:
        others.start(*names, cluster=names)
        eventually("the others", lambda: others.is_ready("b"))
        when_possible(lambda: others.ctl("put", BIRTH_KEY, "the mark", at=["b"]))
        member.unit.settings["MEMBER_CLUSTER_URL"] = others.endpoints("b")[0]
        yield others


def wanted(_namespace: str, _stateful_set: str, _ordinal: int, **_how: Any) -> bool:
    return True


def gone(_namespace: str, _stateful_set: str, _ordinal: int, **_how: Any) -> None:
    return None


def not_wanted(_namespace: str, _stateful_set: str, _ordinal: int, **_how: Any) -> bool:
    return False


def voting(health: Watched) -> Callable[[], bool]:
    return lambda: health.phase == "running as a voter"


def take_the_lead(member: Member, others: Callable[..., str]) -> None:
    """Return when the unit's member leads. `others`: etcdctl with them, of which one may lead."""
    mine = member.unit.members()[member.unit.name]

    def has_it() -> bool:
        said = when_possible(lambda: member.unit.ctl("endpoint", "status", "-w", "json"))
        (status,) = json.loads(said)
        if status["Status"]["leader"] == mine:
            return True
        with suppress(subprocess.SubprocessError):
            others("move-leader", f"{mine:x}")
        return False

    eventually("the unit to lead", has_it)


def never_serves_before(phase: str, health: Watched) -> None:
    """Return when that is the phase, and later. AssertionError as soon as it is ready."""

    def is_refused() -> bool:
        assert not health.ready(), health.phase
        return phase in health.phase

    eventually(f"the phase to be {phase}", is_refused)
    passes(health, 2)
    assert not health.ready()


def seen_at(url: str) -> View:
    """The cluster that answers there, with what one of its members at least says of itself."""

    def look() -> View | None:
        view = read_view(url)
        return view if view and view.statuses else None

    return told("the cluster", look)


def is_removed(cluster: Supervisor, member_id: int) -> bool:
    """Ask for it unless it is so: an answer may have been lost."""
    if member_id not in cluster.members().values():
        return True
    try:
        cluster.ctl("member", "remove", f"{member_id:x}")
    except subprocess.SubprocessError:
        return False
    return True
