"""A destroy in the middle of a handover, of a stack whose data is to be kept.

The Kubernetes API is a fake; on a real one: tests/e2e/test_retained.py.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from components.dynamic.start import StartProvider
from components.site import Site
from tests.support.answers import Reply
from tests.support.dynamic import SITE, inputs, refused
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin

SECRET = "GET /api/v1/namespaces/etcd/secrets/etcd-discovery"
UNITS = "GET /apis/apps/v1/namespaces/etcd/statefulsets/etcd"
NOTED = {"accepted": "claim-1 claim-2 claim-3"}


def secret(data: dict[str, str], *, ours: bool = True) -> Reply:
    labels = Site(**SITE).identity if ours else {}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    body = {"metadata": {"name": "etcd-discovery", "labels": labels}, "data": encoded}
    return Reply(200, json.dumps(body))


def units(policy: str | None) -> Reply:
    retention = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy}} if policy else {}
    spec = {"selector": {}, "template": {}, "serviceName": "etcd-peer", **retention}
    return Reply(200, json.dumps({"metadata": {"name": "etcd"}, "spec": spec}))


def test_half_a_cluster_is_not_kept(dynamic: Plugin) -> None:
    with Kubernetes.running(namespace=True, units=3) as api:
        api.answers |= {SECRET: secret(NOTED), UNITS: units("Retain")}
        props = inputs(StartProvider, api.url)
        text = refused(lambda: dynamic.delete(StartProvider(), props), dynamic)
        assert all(asked.startswith("GET ") for asked in api.asked)
    assert "the seeds hold what clients have written, and go with a destroy" in text
    claims = "data-etcd-0 data-etcd-1 data-etcd-2"
    assert (
        f"kubectl --context here -n etcd delete --wait=false pvc {claims}; then pulumi destroy"
        in text
    )


@pytest.mark.parametrize(
    ("found", "answers"),
    [
        pytest.param({}, {SECRET: Kubernetes.missed(SECRET)}, id="the handover is done"),
        pytest.param({}, {SECRET: secret({"token": "t"})}, id="nothing was born"),
        pytest.param({}, {SECRET: secret(NOTED, ours=False)}, id="somebody else's Secret"),
        pytest.param({}, {UNITS: units("Delete")}, id="nothing is to be kept"),
        pytest.param({}, {UNITS: units(None)}, id="there are no volumes"),
        pytest.param({}, {UNITS: Kubernetes.missed(UNITS)}, id="there are no units"),
        pytest.param({"ending": True}, {}, id="the volumes go, too"),
        pytest.param({"units": 0}, {}, id="they are gone"),
    ],
)
def test_a_destroy_that_keeps_a_whole_cluster_or_nothing_goes_on(
    found: dict[str, Any], answers: dict[str, Reply], dynamic: Plugin
) -> None:
    with Kubernetes.running(namespace=True, **{"units": 3, **found}) as api:
        api.answers |= {SECRET: secret(NOTED), UNITS: units("Retain"), **answers}
        dynamic.delete(StartProvider(), inputs(StartProvider, api.url))


def test_a_cluster_that_refuses_to_say_is_not_passed_over(dynamic: Plugin) -> None:
    with Kubernetes.running(always=Kubernetes.status(403, "you may not look")) as api:
        props = inputs(StartProvider, api.url)
        assert "you may not look" in refused(
            lambda: dynamic.delete(StartProvider(), props), dynamic
        )
