"""What must stay as it is while the cluster exists, and what may change by an `up`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.program.conftest import Declare
from tests.support.program import DYNAMIC, Program

_IMMUTABLE = ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")
"""Kubernetes refuses a change of these, so Pulumi would replace the workload, with all members."""

_ADDRESSES = ("MEMBER_PEER_URL", "MEMBER_CLIENT_URL")
"""They stand in the membership: a member that has others after a restart is not found."""


def fixed(program: Program) -> dict[str, str]:
    return program.one(f"{DYNAMIC}Preflight").inputs["fixed"]


def foundation(program: Program) -> str:
    """Everything about the workloads that cannot change in place."""
    return json.dumps(
        [
            [
                workload.inputs["metadata"]["name"],
                workload.inputs["metadata"]["namespace"],
                {key: workload.spec.get(key) for key in _IMMUTABLE},
                {key: workload.env[key] for key in _ADDRESSES},
                workload.pod.get("volumes"),
            ]
            for workload in sorted(program.all("StatefulSet"), key=lambda w: w.name)
        ],
        sort_keys=True,
    )


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("kubernetes", "namespace", "store"),
        ("kubernetes", "clusterDomain", "k.test"),
        ("etcd", "name", "kv"),
        ("etcd", "clientPort", 12379),
        ("etcd", "peerPort", 12380),
        ("storage", "kind", "ephemeral"),
        ("storage", "size", "40Gi"),
        ("storage", "className", "fast"),
    ],
)
def test_what_shakes_the_foundation_is_refused_while_the_cluster_exists(
    declare: Declare, group: str, key: str, value: object
) -> None:
    before, after = declare(), declare(**{group: {key: value}})
    assert foundation(after) != foundation(before)
    differing = {k for k in fixed(before) if fixed(after)[k] != fixed(before)[k]}
    assert differing == {f"{group}.{key}"}


def test_another_cluster_is_refused_while_this_one_exists(declare: Declare) -> None:
    before, after = declare(), declare(kubernetes={"context": "other"})
    differing = {k for k in fixed(before) if fixed(after)[k] != fixed(before)[k]}
    assert differing == {"kubernetes.context"}


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param({"units": {"count": 5}}, id="more units"),
        pytest.param({"units": {"cpu": "2", "memory": "4Gi"}}, id="larger units"),
        pytest.param({"units": {"nodeSelector": {"pool": "etcd"}}}, id="other nodes"),
        pytest.param({"seeds": {"count": 1}}, id="seeds of the past"),
        pytest.param({"etcd": {"version": "3.7.1"}}, id="another version"),
        pytest.param({"etcd": {"labels": {"team": "storage"}}}, id="labels"),
        pytest.param({"etcd": {"component": "store"}}, id="component"),
        pytest.param({"etcd": {"metricsPort": 12381, "healthPort": 12382}}, id="probes' ports"),
        pytest.param({"etcd": {"extraEnv": [{"name": "X", "value": "1"}]}}, id="environment"),
        pytest.param({"service": {"name": "store", "type": "NodePort"}}, id="another Service"),
        pytest.param({"storage": {"retain": False}}, id="whether volumes stay"),
        pytest.param({"handover": {"timeoutSeconds": 60}}, id="deadlines"),
        pytest.param({"discovery": {"mode": "v3", "url": "http://a.test:2379"}}, id="discovery"),
        pytest.param({"image": {"repository": "other"}}, id="another image"),
    ],
)
def test_all_else_may_change_in_place(declare: Declare, groups: dict[str, Any]) -> None:
    before, after = declare(), declare(**groups)
    assert foundation(after) == foundation(before)
    assert fixed(after) == fixed(before)
