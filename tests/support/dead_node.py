"""A namespace with a pod on a node that is gone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

from components.kube.client import Kube
from components.kube.errors import ExecError
from components.site import Site
from tests.support.namespace import NOW


class OnADeadNode(Kube):
    """A namespace whose second seed is on a node that is gone, as Kubernetes shows it."""

    def __init__(self, *, runs: bool, ending: datetime | None = None) -> None:
        self.ending = ending
        self._secret_holds: Mapping[str, str] = {}
        site = SimpleNamespace(
            units="etcd",
            seeds="etcd-seed",
            discovery="etcd-discovery",
            local_url="http://127.0.0.1:2379",
        )
        self.site = cast(Site, site)
        self._state = SimpleNamespace(
            running=object() if runs else None,
            waiting=None if runs else SimpleNamespace(reason="ContainerCreating"),
        )

    def pods(self, stateful_set: str) -> list[Any]:
        count = {"etcd-seed": 2, "etcd-discovery": 1}[stateful_set]
        return [self._pod(f"{stateful_set}-{i}") for i in range(count)]

    def pods_and_time(self) -> tuple[list[Any], datetime]:
        return [*self.pods("etcd-seed"), *self.pods("etcd-discovery")], NOW

    def _pod(self, name: str) -> Any:
        return SimpleNamespace(
            metadata=SimpleNamespace(name=name, uid=name, deletion_timestamp=self.ending),
            spec=SimpleNamespace(node_name=f"node-of-{name}", scheduling_gates=None),
            status=SimpleNamespace(
                conditions=[],
                init_container_statuses=None,
                container_statuses=[
                    SimpleNamespace(
                        name="etcd",
                        state=self._state,
                        last_state=SimpleNamespace(terminated=None),
                    )
                ],
            ),
        )

    def volumes(self, stateful_set: str) -> list[Any]:
        return []

    def _node_problem(self, name: str) -> str | None:
        return f"node {name} is gone" if name == "node-of-etcd-seed-1" else None

    def exec(self, pod: str, *command: str, seconds: float = 10.0) -> str:
        raise ExecError("no answer")

    def write_secret(self, name: str, data: Mapping[str, str]) -> None:
        self._secret_holds = data

    def read_secret(self, name: str) -> dict[str, str]:
        return dict(self._secret_holds)

    def scale(self, stateful_set: str, replicas: int) -> None: ...
