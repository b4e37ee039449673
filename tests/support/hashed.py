"""Three members in pods, which are well but for the hashes that they give. Stands in for Kubernetes
and etcd: commands in pods, and a clock."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import pytest

from components.change.loop import Loop
from components.kube.client import Kube
from components.kube.errors import ExecError
from components.progress import Progress
from components.site import Site
from tests.support import namespace
from tests.support.clock import Clock
from tests.support.dynamic import SITE

PODS = ("etcd-0", "etcd-1", "etcd-2")
LEADER = "etcd-1"
"""Neither the first nor the last that is listed."""
REVISION = 5

Answer = int | tuple[int, int] | str | None
"""A hash, with the revision that is compacted; an error's text; None where none comes in time."""


class Hashed(Kube):
    """As `Kube`, and what was asked in its order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, megabytes: float = 0.02) -> None:
        self.site = Site.of({"site": SITE})
        self.megabytes = megabytes
        """In use, of each member's database."""
        self.took = 0.05
        """Seconds of each question for hashes."""
        self.answers: dict[str, Sequence[Answer]] = dict.fromkeys(PODS, (7,))
        """One after the other; the last one counts for ever."""
        self.silent: Callable[[], Sequence[str]] = lambda: ()
        """Who does not answer at all."""
        self.members: Sequence[str] = PODS
        """Who is listed; by hand there may be more than have pods."""
        self.errors: Sequence[str] = ()
        """That each member tells: alarms."""
        self.starved: Sequence[str] = ()
        """Whose container ended for want of memory, and runs again."""
        self.ready: Sequence[str] = ()
        """Whose etcd is, as Kubernetes knows it."""
        self.newest: str | None = "r2"
        """Their StatefulSet's template; the pods are of this one."""
        self.said: Mapping[str, Mapping[str, Any]] = {}
        """By supervisors."""
        self.questions: list[str] = []
        """To whose supervisors."""
        self.asked: list[tuple[float, str]] = []
        """When which members were asked for their hash, by one command."""
        self.limits: set[tuple[str, float]] = set()
        """Of these questions: etcdctl's, and the one of the command in a pod."""
        self.looks = 0
        self.clock = Clock()
        for module in ("change.loop", "progress", "change.proof", "etcd.hashes"):
            name = f"components.{module}.time"
            monkeypatch.setattr(name, self.clock, raising=False)
        # Commands side by side are told apart by their order only.
        self._one = Lock()

    def loop(self) -> Loop:
        props = {"units": len(PODS), "cluster_id": "1", "birth": "b"}
        progress = Progress("scale", 600, started=self.clock.now)
        kube: Any = self
        return Loop.of(kube, props, progress)

    @property
    def order(self) -> list[str]:
        return [pod for _, pod in self.asked]

    # ------------------------------------------------------------ as Kubernetes

    def exec(self, pod: str, *command: str, seconds: float = 10.0) -> str:
        with self._one:
            if "hashkv" in command:
                return self._hashes(command, seconds)
            if "status" in command:
                self.looks += 1
                return self._statuses()
            return "b" if "get" in command else self._list()

    def pods_and_time(self) -> tuple[list[Any], datetime]:
        return self.pods(""), datetime(2026, 11, 27, tzinfo=UTC)

    def pods(self, stateful_set: str) -> list[Any]:
        return [
            namespace.pod(name, ready=name in self.ready, starved=name in self.starved)
            for name in PODS
        ]

    def newest_revision(self, stateful_set: str) -> str | None:
        return self.newest

    def volumes(self, stateful_set: str) -> list[Any]:
        return []

    def supervisor_status(self, pod: str) -> dict[str, Any]:
        self.questions.append(pod)
        return dict(self.said.get(pod, {}))

    # ------------------------------------------------------------ as etcd

    def _list(self) -> str:
        members = [
            {
                "ID": i,
                "name": pod,
                "peerURLs": [f"http://{pod}.p:2380"],
                "clientURLs": [f"http://{pod}.p:2379"],
            }
            for i, pod in enumerate(self.members, 1)
        ]
        return json.dumps({"header": {"cluster_id": 1}, "members": members})

    def _statuses(self) -> str:
        found = [
            {
                "Status": {
                    "header": {"member_id": i, "cluster_id": 1, "revision": REVISION},
                    "leader": PODS.index(LEADER) + 1,
                    "raftTerm": 2,
                    "version": "3.6.14",
                    # Some of the file is free.
                    "dbSize": int(self.megabytes * 3_000_000),
                    "dbSizeInUse": int(self.megabytes * 1_000_000),
                    "errors": list(self.errors),
                }
            }
            for i, pod in enumerate(self.members, 1)
            if pod not in self.silent()
        ]
        return json.dumps(found)

    def _hashes(self, command: tuple[str, ...], seconds: float) -> str:
        """As etcdctl prints them: without those that have none, and `null` where nobody has one."""
        (urls,) = (word for word in command if word.startswith("--endpoints="))
        (limit,) = (word for word in command if word.startswith("--command-timeout="))
        assert f"--rev={REVISION}" in command
        self.limits.add((limit.partition("=")[2], seconds))
        found: list[Any] = []
        pods = re.findall(r"http://([\w-]+)", urls)
        self.asked.append((round(self.clock.now, 2), ",".join(pods)))
        for pod in pods:
            first, *others = self.answers[pod]
            self.answers[pod] = others or [first]
            if isinstance(first, str):
                raise ExecError(first)
            late = float(limit.partition("=")[2].removesuffix("s"))
            self.clock.sleep(late if first is None else self.took)
            if first is not None:
                value, compacted = first if isinstance(first, tuple) else (first, -1)
                hashed = {"hash": value, "compact_revision": compacted, "hash_revision": REVISION}
                found.append({"Endpoint": f"http://{pod}.p:2379", "HashKV": hashed})
        return json.dumps(found or None)
