"""Errors of the dynamic providers: one clear message each, told before anything is touched.

The Kubernetes API is a fake of the few answers that each case is about: a real one is not to be had
broken in so many ways.
"""

from __future__ import annotations

import pytest

from components.dynamic.namespace import NamespaceProvider
from components.dynamic.preflight import PreflightProvider
from components.dynamic.provider import DynamicProvider
from tests.support.answers import Reply, serving
from tests.support.dynamic import ASKING, AT_ONCE, inputs, refused
from tests.support.kubernetes_api import Kubernetes, kubeconfig
from tests.support.plugin import Plugin
from tests.support.ports import free_port


@pytest.mark.parametrize("kind", AT_ONCE, ids=lambda kind: kind.__name__)
def test_an_unreachable_cluster_is_one_clear_error(
    kind: type[DynamicProvider], dynamic: Plugin
) -> None:
    props = inputs(kind, f"http://127.0.0.1:{free_port()}")
    text = refused(lambda: dynamic.create(kind(), props), dynamic)
    assert "context here does not answer" in text


def test_an_unreachable_gke_cluster_is_looked_at_with_nothing_but_gcloud(dynamic: Plugin) -> None:
    """Nobody has a kubeconfig yet of a cluster that this `up` has made."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    props = inputs(PreflightProvider, nowhere)
    props["site"] = {**props["site"], "context": "gke_my-project_us-central1_etcd"}
    props["kubeconfig"] = kubeconfig(nowhere, context="gke_my-project_us-central1_etcd")
    text = refused(lambda: dynamic.create(PreflightProvider(), props), dynamic)
    look = "gcloud container clusters describe etcd --location us-central1 --project my-project"
    assert f"Next: {look}" in text


def test_a_namespace_that_cannot_be_asked_for_is_one_clear_error(dynamic: Plugin) -> None:
    props = inputs(NamespaceProvider, f"http://127.0.0.1:{free_port()}")
    refused(lambda: dynamic.delete(NamespaceProvider(), props), dynamic)


BROKEN = [
    pytest.param("", id="empty"),
    pytest.param("{", id="no YAML"),
    pytest.param("just words", id="no object"),
    pytest.param("[1, 2]", id="a list"),
    pytest.param("{}", id="no contexts"),
    pytest.param('{"contexts": null, "clusters": null}', id="nulls"),
    pytest.param(kubeconfig("http://127.0.0.1:1", context="other"), id="wrong context"),
    pytest.param(kubeconfig("http://127.0.0.1:1").replace('"clusters"', '"x"'), id="no cluster"),
    pytest.param(kubeconfig("::: no address"), id="no address"),
    pytest.param(
        kubeconfig("https://127.0.0.1:1", **{"client-certificate-data": "%%%"}),
        id="a certificate that is none",
    ),
    pytest.param(
        kubeconfig("https://127.0.0.1:1", **{"client-certificate": "/nowhere/at/all"}),
        id="a file that is not there",
    ),
]


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("kind", AT_ONCE, ids=lambda kind: kind.__name__)
def test_a_broken_kubeconfig_is_one_clear_error(
    kind: type[DynamicProvider], text: str, dynamic: Plugin
) -> None:
    refused(lambda: dynamic.create(kind(), inputs(kind, kubeconfig=text)), dynamic)


_AFTER = {
    401: "Next: log in to the cluster again",
    403: "Next: grant what is missing",
    422: "Next: correct what it names",
    500: "Next: pulumi up, which goes on from here, once",
    503: "Next: pulumi up, which goes on from here, once",
}
"""An expired sign-in, a missing right, a value that is no good, a webhook that is down, a pause."""


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        pytest.param(kind, code, id=f"{kind.__name__}-{code}")
        for kind in ASKING
        for code in _AFTER
        if kind in AT_ONCE or code < 500  # the others ask again: see test_retries.py
    ],
)
def test_a_refusal_of_kubernetes_is_told_in_its_own_words_and_with_what_helps(
    kind: type[DynamicProvider], code: int, dynamic: Plugin
) -> None:
    with Kubernetes.running(always=Kubernetes.status(code, "so it is decreed")) as api:
        text = refused(lambda: dynamic.create(kind(), inputs(kind, api.url)), dynamic)
    assert "so it is decreed" in text
    assert "context here" in text
    assert text.splitlines()[-1].startswith(_AFTER[code])


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(502, "<html>Bad gateway</html>"), id="an error page"),
        pytest.param(Reply(200, "<html>Welcome</html>"), id="a welcome page"),
        pytest.param(Reply(500, "{broken"), id="half an answer"),
        pytest.param(Reply(500, '{"kind": "x"}'), id="JSON of something else"),
        pytest.param(Reply(500, '["x"]'), id="a JSON list"),
        pytest.param(Reply(closes=True), id="a closed connection"),
    ],
)
def test_what_is_no_kubernetes_is_one_clear_error(reply: Reply, dynamic: Plugin) -> None:
    with serving(reply) as server:
        refused(
            lambda: dynamic.create(PreflightProvider(), inputs(PreflightProvider, server.url)),
            dynamic,
        )
