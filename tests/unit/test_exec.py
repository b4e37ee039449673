"""A command in a pod whose kubelet does not answer; a server on loopback that never says a word."""

from __future__ import annotations

import socket
from threading import Barrier
from typing import Any

import pytest

from components.kube import connection
from components.kube.client import Kube, NoExecError
from components.site import Site
from tests.support.dynamic import SITE
from tests.support.kubernetes_api import kubeconfig
from tests.support.namespace import pod


def test_a_kubelet_that_stands_still_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are taken by its node, and the API server waits for its answer for ever."""
    monkeypatch.setattr(connection, "COMMAND_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kube = Kube(kubeconfig(f"http://127.0.0.1:{silent.getsockname()[1]}"), Site(**SITE))
        with pytest.raises(NoExecError, match=r"cannot run a command in pod etcd-0: .*timed out"):
            kube.exec("etcd-0", "etcdctl", "get", "key", seconds=1)


def test_supervisors_are_asked_at_once_and_none_that_is_well_or_cannot_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One after the other, each may keep the question for 10 s."""
    both = Barrier(2, timeout=10)

    def ask(_kube: Kube, name: str) -> dict[str, Any]:
        both.wait()
        return {"phase": f"of {name}"}

    def look(_kube: Kube, node: str) -> str | None:
        return "it is gone" if node == "dead" else None

    monkeypatch.setattr(Kube, "supervisor_status", ask)
    monkeypatch.setattr(Kube, "_node_problem", look)
    pods = [
        pod("etcd-0", ready=True),
        pod("etcd-1"),
        pod("etcd-2"),
        pod("etcd-3", waiting="CrashLoopBackOff"),
        pod("etcd-4"),
    ]
    pods[2].spec.node_name, pods[4].spec.node_name = "alive", "dead"
    found = Kube.__new__(Kube).supervisor_statuses(pods)
    assert found == {"etcd-1": {"phase": "of etcd-1"}, "etcd-2": {"phase": "of etcd-2"}}
    assert Kube.__new__(Kube).supervisor_statuses([]) == {}
