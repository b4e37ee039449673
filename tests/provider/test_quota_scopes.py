"""A quota that counts other pods than members is no reason to refuse a stack."""

from __future__ import annotations

import pytest

from components.dynamic.preflight import PreflightProvider
from tests.support.dynamic import inputs, refused
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin

NOTHING = {"pods": ("0", "0"), "limits.cpu": ("0", "0")}
"""A quota that lets in no pod, and wants a CPU limit, which members do not have."""


def selected(scope: str, operator: str, *values: str) -> dict[str, object]:
    expression = {"scopeName": scope, "operator": operator, "values": values}
    return {"scopeSelector": {"matchExpressions": [expression]}}


@pytest.mark.parametrize(
    "scopes",
    [
        pytest.param({}, id="none"),
        pytest.param({"scopes": ["NotTerminating"]}, id="no deadline"),
        pytest.param({"scopes": ["NotBestEffort", "NotTerminating"]}, id="requests, no deadline"),
        pytest.param(selected("NotBestEffort", "Exists"), id="requests, selected"),
        pytest.param({"scopes": ["PriorityClass"]}, id="any class"),
        pytest.param(selected("PriorityClass", "In", "low", "etcd"), id="their class"),
        pytest.param(selected("PriorityClass", "NotIn", "low"), id="any class but another"),
    ],
)
def test_a_quota_whose_scopes_members_are_in_is_judged(
    scopes: dict[str, object], dynamic: Plugin
) -> None:
    with Kubernetes.running(namespace=True, quota=NOTHING, scopes=scopes) as api:
        props = inputs(PreflightProvider, api.url, priority_class="etcd")
        text = refused(lambda: dynamic.create(PreflightProvider(), props), dynamic)
    assert "allows pods 0, 0 in use; this stack needs 7 more" in text
    assert "counts limits.cpu" in text


@pytest.mark.parametrize(
    ("scopes", "priority_class"),
    [
        pytest.param({"scopes": ["BestEffort"]}, "", id="no requests"),
        pytest.param({"scopes": ["Terminating"]}, "", id="a deadline"),
        pytest.param({"scopes": ["NotBestEffort", "Terminating"]}, "", id="one of two"),
        pytest.param(selected("Terminating", "Exists"), "", id="a deadline, selected"),
        pytest.param(selected("CrossNamespacePodAffinity", "Exists"), "", id="affinity"),
        pytest.param({"scopes": ["OfTheFuture"]}, "", id="a scope that nobody knows yet"),
        pytest.param(selected("PriorityClass", "In", "low"), "etcd", id="another class"),
        pytest.param(selected("PriorityClass", "NotIn", "etcd"), "etcd", id="not their class"),
        pytest.param(selected("PriorityClass", "DoesNotExist"), "etcd", id="without a class"),
        pytest.param(
            {"scopes": ["NotBestEffort"], **selected("PriorityClass", "In", "low")},
            "etcd",
            id="another class, beside a scope that they are in",
        ),
        # Kubernetes may give a class to pods that name none.
        pytest.param(selected("PriorityClass", "DoesNotExist"), "", id="none of their own"),
        pytest.param(selected("PriorityClass", "In", "low"), "", id="perhaps the default class"),
        pytest.param(selected("PriorityClass", "NotIn", "low"), "", id="perhaps another default"),
    ],
)
def test_a_quota_with_a_scope_that_members_may_not_be_in_is_no_obstacle(
    scopes: dict[str, object], priority_class: str, dynamic: Plugin
) -> None:
    with Kubernetes.running(namespace=True, quota=NOTHING, scopes=scopes) as api:
        props = inputs(PreflightProvider, api.url, priority_class=priority_class)
        assert dynamic.create(PreflightProvider(), props).outs == props
