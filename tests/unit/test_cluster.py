"""How the sequences read the cluster. Stands in for Kubernetes: commands in pods."""

from __future__ import annotations

import json
from threading import Barrier
from types import SimpleNamespace
from typing import Any

from components.dynamic.cluster import Cluster
from components.dynamic.kube import ExecError
from components.dynamic.progress import Unmet

URL = "http://127.0.0.1:2379"
LIST = {
    "header": {"cluster_id": 1},
    "members": [
        {
            "ID": n,
            "name": pod,
            "peerURLs": [f"http://{pod}.p:2380"],
            "clientURLs": [f"http://{pod}.p"],
        }
        for n, pod in ((7, "etcd-0"), (8, "etcd-1"), (9, "etcd-seed-0"))
    ],
}
STATUSES = [
    {"Status": {"header": {"member_id": n, "cluster_id": 1, "revision": 5}, "leader": 7}}
    for n in (7, 8, 9)
]


def cluster(execute: Any, *pods: str) -> Cluster:
    kube: Any = SimpleNamespace(
        site=SimpleNamespace(seeds="etcd-seed", local_url=URL), exec=execute
    )
    return Cluster(kube, pods)


def test_list_and_statuses_are_asked_at_the_same_time() -> None:
    both = Barrier(2)

    def execute(_pod: str, *command: str) -> str:
        both.wait(timeout=10)
        return json.dumps(LIST if "list" in command else STATUSES)

    view = cluster(execute, "etcd-seed-0").view()
    assert not isinstance(view, Unmet)
    assert [m.pod for m in view.members] == ["etcd-0", "etcd-1", "etcd-seed-0"]
    assert sorted(view.statuses) == [7, 8, 9]
    assert view.leader == view.members[0]


def test_the_next_pod_is_asked_where_one_does_not_answer_and_units_from_then_on() -> None:
    asked: list[str] = []

    def execute(pod: str, *command: str) -> str:
        asked.append(pod)
        if pod == "etcd-1":
            raise ExecError("node gone")
        return json.dumps(LIST if "list" in command else STATUSES)

    found = cluster(execute, "etcd-1", "etcd-seed-0")
    assert not isinstance(found.view(), Unmet)
    assert list(dict.fromkeys(asked)) == ["etcd-1", "etcd-seed-0"]
    found.get("key")
    assert asked[-1] == "etcd-0"


def test_why_nobody_answers_is_told() -> None:
    def execute(_pod: str, *_command: str) -> str:
        raise ExecError("first line\ncontext deadline exceeded")

    found = cluster(execute, "etcd-0").view()
    assert found == Unmet("the cluster does not answer: context deadline exceeded")
