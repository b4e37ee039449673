"""A namespace that somebody deleted, and a Kubernetes cluster that is gone for good.

A refresh notices the one by Kubernetes' own word alone; a destroy gives up the other where it is
told to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from components.dynamic.namespace import NamespaceProvider
from components.kube.namespace import LEAVE_UNREACHABLE
from tests.support.answers import Reply
from tests.support.dynamic import inputs, refused
from tests.support.kubernetes_api import Kubernetes, by_command
from tests.support.plugin import Plugin, plugin
from tests.support.ports import free_port

LOOK = "GET /api/v1/namespaces/etcd"
NOWHERE = f"http://127.0.0.1:{free_port()}"


STRANGE = {
    "a 404 of a proxy": Reply(404, "default backend - 404"),
    "a 404 that is no Status": Reply(404, "[]"),
    "no details": Reply(404, '{"reason": "NotFound", "details": null}'),
    "no such path": Reply(404, "404 page not found\n"),
    "another namespace": Kubernetes.missed("/api/v1/namespaces/other"),
    "a page": Reply(200, "<html>Welcome</html>"),
    "another reason": Kubernetes.missed(LOOK, reason="Expired"),
}
"""Answers that say nothing of the namespace."""


# ---------------------------------------------------------------- refresh


def test_a_refresh_notices_that_the_namespace_is_gone(dynamic: Plugin, api: Kubernetes) -> None:
    api.answers[LOOK] = Kubernetes.missed(LOOK)
    answer = dynamic.read(NamespaceProvider(), "etcd", inputs(NamespaceProvider, api.url))
    assert (answer.id, answer.outs) == ("", {}), "an empty ID is gone, to the engine"
    assert api.asked == [LOOK]
    (line,) = dynamic.said().splitlines()
    assert "namespace etcd is gone, with all that was in it" in line
    assert "docs/runbook.md" in line


def there(**metadata: str) -> Reply:
    body = json.dumps({"metadata": {"name": "etcd", **metadata}})
    return Reply(200, body, {"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        pytest.param(there(), "", id="it is there"),
        pytest.param(there(deletionTimestamp="2026-11-27T03:12:40Z"), "", id="it ends"),
        *[pytest.param(reply, "is no word of Kubernetes", id=n) for n, reply in STRANGE.items()],
        pytest.param(Kubernetes.status(403, "you may not look"), "you may not look", id="403"),
        pytest.param(Kubernetes.status(401, "who are you"), "who are you", id="401"),
        pytest.param(Kubernetes.status(503, "busy"), "busy", id="503"),
        pytest.param(Reply(closes=True), "does not answer", id="a closed connection"),
    ],
)
def test_a_refresh_forgets_no_namespace_without_a_clear_word(
    reply: Reply, said: str, dynamic: Plugin, api: Kubernetes
) -> None:
    api.answers[LOOK] = reply
    props = inputs(NamespaceProvider, api.url)
    answer = dynamic.read(NamespaceProvider(), "etcd", props)
    assert (answer.id, answer.outs) == ("etcd", props)
    lines = dynamic.said().splitlines()
    assert len(lines) == bool(said)
    assert said in "".join(lines)


@pytest.mark.parametrize("kubeconfig", ["", "{"])
def test_a_refresh_does_not_fail_for_a_kubeconfig_that_is_of_no_use_any_more(
    kubeconfig: str, dynamic: Plugin
) -> None:
    props = inputs(NamespaceProvider, kubeconfig=kubeconfig)
    assert dynamic.read(NamespaceProvider(), "etcd", props).id == "etcd"
    assert "the kubeconfig cannot be used" in dynamic.said()


# ---------------------------------------------------------------- destroy


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """The process of somebody who gives up what cannot be reached."""
    env = {**os.environ, LEAVE_UNREACHABLE: "true"}
    with plugin(tmp_path_factory.mktemp("told"), env) as running:
        running.configure({})
        yield running


def test_a_destroy_gives_up_a_cluster_that_is_gone_for_good_if_it_is_told_to(
    told: Plugin, dynamic: Plugin
) -> None:
    """As the plugin does with its objects, so that what comes after can be destroyed."""
    props = inputs(NamespaceProvider, NOWHERE)
    text = refused(lambda: dynamic.delete(NamespaceProvider(), props), dynamic)
    assert "does not answer" in text
    assert text.endswith(f"gone for good, {LEAVE_UNREACHABLE}=true pulumi destroy")
    told.turn_page()
    told.delete(NamespaceProvider(), props)
    (line,) = told.said().splitlines()
    assert "namespace etcd is left alone: the Kubernetes API of context here does not" in line


@pytest.mark.parametrize("code", [401, 403, 500, 503])
def test_a_cluster_that_refuses_is_not_given_up(code: int, told: Plugin, api: Kubernetes) -> None:
    api.answers[LOOK] = Kubernetes.status(code, "so it is decreed")
    told.turn_page()
    props = inputs(NamespaceProvider, api.url)
    text = refused(lambda: told.delete(NamespaceProvider(), props), told)
    assert LEAVE_UNREACHABLE not in text


def test_a_cluster_to_which_one_cannot_log_in_is_not_given_up(
    told: Plugin, dynamic: Plugin, api: Kubernetes
) -> None:
    """Nor is it asked as nobody, to whom a 404 may be said."""
    api.answers[LOOK] = Kubernetes.missed(LOOK)
    props = inputs(NamespaceProvider, kubeconfig=by_command(api.url, "no-such-login"))
    told.turn_page()
    text = refused(lambda: told.delete(NamespaceProvider(), props), told)
    assert "no login to Kubernetes: no-such-login, which context here names" in text
    assert LEAVE_UNREACHABLE not in text
    assert dynamic.read(NamespaceProvider(), "etcd", props).id == "etcd"
    assert "is not known: no login to Kubernetes" in dynamic.said()


@pytest.mark.parametrize("reply", STRANGE.values(), ids=STRANGE)
def test_a_destroy_passes_over_no_namespace_without_a_clear_word(
    reply: Reply, told: Plugin, dynamic: Plugin, api: Kubernetes
) -> None:
    """What is in it would be left behind, volumes and all; told to, it gives the cluster up."""
    api.answers[LOOK] = reply
    props = inputs(NamespaceProvider, api.url)
    text = refused(lambda: dynamic.delete(NamespaceProvider(), props), dynamic)
    assert " to GET /api/v1/namespaces/etcd, and that is no word of Kubernetes" in text
    told.turn_page()
    told.delete(NamespaceProvider(), props)
    assert "namespace etcd is left alone" in told.said()
