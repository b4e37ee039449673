"""The wait for a load balancer's address, through the process that Pulumi runs it in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.dynamic.address import AddressProvider
from tests.support.answers import Reply
from tests.support.dynamic import inputs, refused
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin

SERVICE = "GET /api/v1/namespaces/etcd/services/etcd"
EVENTS = "GET /api/v1/namespaces/etcd/events"
JSON = {"Content-Type": "application/json"}


def give(api: Kubernetes, *ingress: dict[str, Any]) -> None:
    """As a cloud writes it into the status, or has not yet."""
    service = {"metadata": {"name": "etcd"}, "status": {"loadBalancer": {"ingress": list(ingress)}}}
    api.answers[SERVICE] = Reply(200, json.dumps(service), JSON)


@pytest.mark.parametrize(
    ("ingress", "host"),
    [
        pytest.param({"ip": "192.0.2.7"}, "192.0.2.7", id="an address"),
        pytest.param({"hostname": "a1.elb.test"}, "a1.elb.test", id="a name"),
    ],
)
def test_what_the_load_balancer_has_given_is_the_host(
    ingress: dict[str, str], host: str, dynamic: Plugin, api: Kubernetes
) -> None:
    give(api, ingress)
    outs = dynamic.create(AddressProvider(), inputs(AddressProvider, api.url)).outs
    assert outs["host"] == host
    assert f"Service etcd is reached at {host}" in dynamic.said()


@pytest.mark.parametrize(
    ("events", "why"),
    [
        pytest.param([], "no load balancer has given it one", id="nobody gives addresses"),
        pytest.param(
            [{"message": "Error syncing load balancer: quota exceeded"}],
            "has given it one (Error syncing load balancer: quota exceeded)",
            id="the cloud says why",
        ),
    ],
)
def test_an_address_that_does_not_come_ends_with_the_reason_at_the_deadline(
    events: list[dict[str, Any]], why: str, dynamic: Plugin, api: Kubernetes
) -> None:
    give(api)
    found = [{"metadata": {}, "involvedObject": {"kind": "Service"}, **e} for e in events]
    api.answers[EVENTS] = Reply(200, json.dumps({"items": found}), JSON)
    props = inputs(AddressProvider, api.url, timeout_seconds=1)
    text = refused(lambda: dynamic.create(AddressProvider(), props), dynamic)
    assert " s, waiting for an address of Service etcd: " in text
    assert why in text
    assert "\nNext: kubectl --context here -n etcd describe service etcd" in text
