"""A command in a pod whose kubelet does not answer; a server on loopback that never says a word."""

from __future__ import annotations

import socket

import pytest

from components.dynamic import connection
from components.dynamic.kube import Kube, NoExecError
from components.dynamic.site import Site
from tests.support.dynamic import SITE
from tests.support.kubernetes_api import kubeconfig


def test_a_kubelet_that_stands_still_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are taken by its node, and the API server waits for its answer for ever."""
    monkeypatch.setattr(connection, "COMMAND_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kube = Kube(kubeconfig(f"http://127.0.0.1:{silent.getsockname()[1]}"), Site(**SITE))
        with pytest.raises(NoExecError, match=r"cannot run a command in pod etcd-0: .*timed out"):
            kube.exec("etcd-0", "etcdctl", "get", "key", seconds=1)
