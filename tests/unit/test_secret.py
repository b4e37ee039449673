"""The Secret of the bootstrap is this stack's own, or it is left alone. A server on loopback."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from components.birth.birth import birth
from components.dynamic.discovery import DiscoveryProvider
from components.kube.client import Kube
from components.progress import SequenceError
from components.site import Site
from tests.support.answers import Reply, serving
from tests.support.dynamic import SITE, inputs
from tests.support.kubernetes_api import Kubernetes, kubeconfig

HERE = Site(**SITE)
NAME = HERE.discovery
OTHERS = [
    pytest.param({}, id="without labels"),
    pytest.param({**HERE.identity, "app.kubernetes.io/instance": "test"}, id="another stack's"),
]


@dataclass
class Store:
    """One Secret, or none."""

    secret: dict[str, Any] | None = None
    changes: list[str] = field(default_factory=list[str])
    url: str = ""

    @staticmethod
    @contextmanager
    def running(data: Mapping[str, bytes] | None, labels: Mapping[str, str]) -> Generator[Store]:
        store = Store()
        if data is not None:
            encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
            store.secret = {"metadata": {"name": NAME, "labels": labels}, "data": encoded}
        with serving(store._respond) as server:
            store.url = server.url
            yield store

    @property
    def kube(self) -> Kube:
        return Kube(kubeconfig(self.url), HERE)

    def _respond(self, method: str, path: str, body: str) -> Reply:
        if "/secrets" not in path:
            return Kubernetes.missed(path)
        if method != "GET":
            self.changes.append(method)
        if method == "POST" and self.secret is not None:
            return Kubernetes.status(409, "exists already")
        if method in ("POST", "PUT"):
            self.secret = json.loads(body)
        if method == "DELETE":
            self.secret = None
            return Reply(200, "{}")
        found = json.dumps(self.secret)
        return Kubernetes.missed(path) if self.secret is None else Reply(200, found)


def test_it_has_the_stacks_labels() -> None:
    with Store.running(None, {}) as store:
        store.kube.write_secret(NAME, {"token": "t"})
        assert store.secret is not None
        assert HERE.identity.items() <= store.secret["metadata"]["labels"].items()
        assert store.secret["stringData"] == {"token": "t"}


def test_ours_is_read_replaced_and_deleted() -> None:
    with Store.running({"token": b"t"}, HERE.identity) as store:
        assert store.kube.read_secret(NAME) == {"token": "t"}
        store.kube.write_secret(NAME, {"token": "u"})
        assert store.changes == ["POST", "PUT"]
        assert store.kube.delete_secret(NAME)
        assert store.kube.read_secret(NAME) == {}
        assert store.kube.delete_secret(NAME), "gone already"
        assert store.changes == ["POST", "PUT", "DELETE"]


@pytest.mark.parametrize("labels", OTHERS)
def test_somebody_elses_is_neither_read_nor_replaced_nor_deleted(labels: dict[str, str]) -> None:
    with Store.running({"password": b"p"}, labels) as store:
        before = store.secret
        with pytest.raises(SequenceError) as failure:
            store.kube.read_secret(NAME)
        with pytest.raises(SequenceError):
            store.kube.write_secret(NAME, {"token": "t"})
        assert not store.kube.delete_secret(NAME)
        assert store.secret == before
        assert store.changes == ["POST"], "which the API server has refused"
    assert "Secret etcd-discovery of namespace etcd exists and is not of this stack" in str(
        failure.value
    )


def test_how_to_go_on_with_one_of_a_version_without_labels_is_said() -> None:
    with Store.running({"token": b"t"}, {}) as store, pytest.raises(SequenceError) as failure:
        store.kube.read_secret(NAME)
    assert (
        "kubectl --context here -n etcd label secret etcd-discovery "
        "app.kubernetes.io/name=etcd app.kubernetes.io/instance=dev"
    ) in failure.value.problem


@pytest.mark.parametrize("labels", [HERE.identity, {}], ids=["ours", "somebody else's"])
def test_binary_content_is_told_to_be_what_it_is(labels: dict[str, str]) -> None:
    """It is no answer of something that is no Kubernetes."""
    with Store.running({"key": b"\xff\xfe\x00"}, labels) as store:
        if labels:
            assert store.kube.read_secret(NAME).keys() == {"key"}
            return
        with pytest.raises(SequenceError, match="is not of this stack"):
            store.kube.read_secret(NAME)


@pytest.mark.parametrize("labels", OTHERS)
def test_a_birth_touches_nothing_where_the_name_is_taken(labels: dict[str, str]) -> None:
    """It would take it for what an earlier attempt has left, and delete it."""
    with Store.running({"password": b"\xff"}, labels) as store:
        with pytest.raises(SequenceError, match="is not of this stack"):
            birth(HERE, inputs(DiscoveryProvider, store.url))
        assert store.changes == []
        assert store.secret is not None
