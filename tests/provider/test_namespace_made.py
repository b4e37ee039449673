"""A namespace that is to be there: one that is there already, that ends, that nobody here may make.

The Kubernetes API is a fake: what ends in it, ends when a test says so.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pulumi.runtime import rpc

from components.dynamic.namespace import NamespaceProvider
from tests.support.answers import Reply
from tests.support.dynamic import inputs, refused
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin
from tests.support.ports import free_port
from tests.support.stack import until

MAKE, LOOK = "POST /api/v1/namespaces", "GET /api/v1/namespaces/etcd"
DENIED = "so the policy has it"


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(400, id="denied by Kyverno"),
        pytest.param(422, id="denied by a ValidatingAdmissionPolicy"),
        pytest.param(403, id="not allowed"),
        pytest.param(409, id="there already"),
    ],
)
def test_a_namespace_that_is_there_is_taken_whatever_a_creation_would_be_told(
    code: int, dynamic: Plugin, api: Kubernetes
) -> None:
    api.answers[MAKE] = Kubernetes.status(code, DENIED)
    api.namespace = True
    props = inputs(NamespaceProvider, api.url)
    outs = dynamic.create(NamespaceProvider(), props).outs
    assert outs == {**props, "uid": "the-first"}


def test_a_namespace_that_somebody_makes_at_the_same_moment_is_taken(
    dynamic: Plugin, api: Kubernetes
) -> None:
    api.answers[MAKE] = Kubernetes.status(409, "exists already")
    there = Reply(200, json.dumps({"metadata": {"name": "etcd", "uid": "of-another"}}))
    looks = iter([Kubernetes.missed(LOOK), there])
    api.answers[LOOK] = lambda: next(looks)
    outs = dynamic.create(NamespaceProvider(), inputs(NamespaceProvider, api.url)).outs
    assert outs["uid"] == "of-another"
    assert api.asked[:3] == [LOOK, MAKE, LOOK]


def test_a_namespace_that_is_being_deleted_is_waited_for_and_made_anew(
    dynamic: Plugin, api: Kubernetes
) -> None:
    api.answers[MAKE] = Kubernetes.status(409, "object is being deleted")
    going = {"metadata": {"name": "etcd", "deletionTimestamp": "2026-11-27T03:12:40Z"}}
    api.answers[LOOK] = Reply(200, json.dumps(going), {"Content-Type": "application/json"})
    with ThreadPoolExecutor() as pool:
        done = pool.submit(dynamic.create, NamespaceProvider(), inputs(NamespaceProvider, api.url))
        until("two looks", lambda: api.asked.count(LOOK) >= 2 or done.done())
        assert not done.done()
        api.answers[LOOK] = Kubernetes.missed(LOOK)
        api.answers[MAKE] = Reply(201, json.dumps({"metadata": {"name": "etcd"}}))
        assert done.result(30).id == "etcd"


@pytest.mark.parametrize(
    ("code", "said", "following"),
    [
        pytest.param(400, DENIED, "make namespace etcd as that asks for it", id="Kyverno denies"),
        pytest.param(422, DENIED, "make namespace etcd as that asks for it", id="a policy denies"),
        pytest.param(
            403,
            f'admission webhook "validation.gatekeeper.sh" denied the request: {DENIED}',
            "make namespace etcd as that asks for it",
            id="Gatekeeper denies",
        ),
        pytest.param(403, DENIED, "grant what is missing", id="not allowed"),
    ],
)
def test_a_namespace_that_nobody_here_may_make_is_one_clear_error(
    code: int, said: str, following: str, dynamic: Plugin, api: Kubernetes
) -> None:
    api.answers[MAKE] = Kubernetes.status(code, said)
    props = inputs(NamespaceProvider, api.url)
    text = refused(lambda: dynamic.create(NamespaceProvider(), props), dynamic)
    assert said in text
    assert f"Next: {following}" in text


@pytest.mark.parametrize("grants", [True, False])
def test_nothing_is_made_in_a_new_namespace_in_which_this_user_may_grant_nothing(
    grants: bool, dynamic: Plugin
) -> None:
    """Before it was there nobody could be asked."""
    with Kubernetes.running(grants=grants) as api:
        api.answers[MAKE] = Reply(201, json.dumps({"metadata": {"name": "etcd", "uid": "new"}}))
        props = inputs(NamespaceProvider, api.url)
        if grants:
            assert dynamic.create(NamespaceProvider(), props).outs["uid"] == "new"
        else:
            text = refused(lambda: dynamic.create(NamespaceProvider(), props), dynamic)
            assert "Kubernetes would refuse Role etcd (context here, namespace etcd): " in text
            assert text.endswith("Next: pulumi up, once that is mended")
        assert api.asked[-1].endswith("/namespaces/etcd/roles?dryRun=All")


# ---------------------------------------------------------------- another cluster


def leads_to(other: str) -> dict[str, Any]:
    """What the state has of a stack, and the way to another cluster beside it."""
    return {
        "olds": inputs(NamespaceProvider, uid="the-first"),
        "news": inputs(NamespaceProvider, other),
    }


@pytest.mark.parametrize("there", [True, False], ids=["with such a namespace", "without"])
def test_another_cluster_of_the_same_context_is_refused_in_preview(
    there: bool, dynamic: Plugin
) -> None:
    """Its namespace has the same name, perhaps, and another stack in it."""
    with Kubernetes.running(namespace=there) as other:
        if there:
            found = {"metadata": {"name": "etcd", "uid": "the-second"}}
            other.answers[LOOK] = Reply(200, json.dumps(found))
        way = leads_to(other.url)
        for call in (dynamic.diff, dynamic.update):
            text = refused(lambda call=call: call(NamespaceProvider(), *way.values()), dynamic)
            assert "namespace etcd of context here" in text
            assert "leads to another Kubernetes cluster" in text
        assert set(other.asked) == {LOOK}, "nothing was touched"


def test_new_credentials_for_the_same_cluster_are_noted(dynamic: Plugin) -> None:
    with Kubernetes.running(namespace=True) as same:
        same.answers[MAKE] = Kubernetes.status(409, "exists already")
        olds, news = leads_to(same.url).values()
        assert dynamic.diff(NamespaceProvider(), olds, news) == (True, [])
        assert dynamic.update(NamespaceProvider(), olds, news) == {**news, "uid": "the-first"}


def test_a_preview_goes_on_where_nobody_answers_the_new_credentials(dynamic: Plugin) -> None:
    olds, news = leads_to(f"http://127.0.0.1:{free_port()}").values()
    assert dynamic.diff(NamespaceProvider(), olds, news) == (True, [])
    text = refused(lambda: dynamic.update(NamespaceProvider(), olds, news), dynamic)
    assert "does not answer" in text


def test_a_cluster_that_is_not_made_yet_is_asked_nothing(dynamic: Plugin) -> None:
    """As in a preview after the Kubernetes cluster of the stack was deleted elsewhere."""
    olds, news = leads_to("http://127.0.0.1:1").values()
    unknown = {**news, "kubeconfig": rpc.UNKNOWN}
    assert dynamic.diff(NamespaceProvider(), olds, unknown) == (True, [])


def test_a_stack_of_before_notes_whose_namespace_it_is_in(dynamic: Plugin) -> None:
    assert dynamic.diff(
        NamespaceProvider(), inputs(NamespaceProvider), inputs(NamespaceProvider)
    ) == (
        True,
        [],
    )


def test_what_stands_in_the_place_of_a_stacks_namespace_is_left_alone(
    dynamic: Plugin, api: Kubernetes
) -> None:
    api.namespace = True
    props = inputs(NamespaceProvider, api.url, uid="of-before", retain=False)
    dynamic.delete(NamespaceProvider(), props)
    assert "namespace etcd is left alone: it is not this stack's any more" in dynamic.said()
    assert api.asked == [LOOK]
    assert dynamic.read(NamespaceProvider(), "etcd", props).id == "", "a refresh takes it for gone"
