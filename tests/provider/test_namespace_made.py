"""A namespace that is to be there: one that is there already, that ends, that nobody here may make.

The Kubernetes API is a fake: what ends in it, ends when a test says so.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from components.dynamic.namespace import NamespaceProvider
from tests.support.answers import Reply
from tests.support.dynamic import inputs, refused
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin
from tests.support.stack import until


def test_a_namespace_that_is_there_is_taken(dynamic: Plugin, api: Kubernetes) -> None:
    api.answers["POST /api/v1/namespaces"] = Kubernetes.status(409, "exists already")
    api.namespace = True
    props = inputs(NamespaceProvider, api.url)
    assert dynamic.create(NamespaceProvider(), props).outs == props


def test_a_namespace_that_is_being_deleted_is_waited_for_and_made_anew(
    dynamic: Plugin, api: Kubernetes
) -> None:
    make, look = "POST /api/v1/namespaces", "GET /api/v1/namespaces/etcd"
    api.answers[make] = Kubernetes.status(409, "object is being deleted")
    going = {"metadata": {"name": "etcd", "deletionTimestamp": "2026-11-27T03:12:40Z"}}
    api.answers[look] = Reply(200, json.dumps(going), {"Content-Type": "application/json"})
    with ThreadPoolExecutor() as pool:
        done = pool.submit(dynamic.create, NamespaceProvider(), inputs(NamespaceProvider, api.url))
        until("two looks", lambda: api.asked.count(look) >= 2 or done.done())
        assert not done.done()
        api.answers[look] = Kubernetes.missed(look)
        api.answers[make] = Reply(201, json.dumps({"metadata": {"name": "etcd"}}))
        assert done.result(30).id == "etcd"


def test_a_namespace_that_nobody_here_may_make_is_one_clear_error(
    dynamic: Plugin, api: Kubernetes
) -> None:
    api.answers["POST /api/v1/namespaces"] = Kubernetes.status(403, "you may not make one")
    props = inputs(NamespaceProvider, api.url)
    assert "you may not make one" in refused(
        lambda: dynamic.create(NamespaceProvider(), props), dynamic
    )
