"""Every declared Kubernetes object is one that Kubernetes knows, field by field."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client

from components import orphans
from tests.program.conftest import Declare, make_cluster

_ALL_FIELDS: dict[str, Any] = {
    "etcd": {"extraEnv": [{"name": "X", "value": "1"}], "labels": {"team": "storage"}},
    "service": {"type": "LoadBalancer", "sourceRanges": ["10.0.0.0/8"]},
    "units": {
        "nodeSelector": {"pool": "etcd"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    },
}


def understood(kind: str, manifest: Any) -> bool:
    """Whether the official client's model takes it and says the same of it."""
    # Every number went through the protocol as a float; Kubernetes gets it as it was.
    text = json.dumps(manifest)
    whole = json.loads(text, parse_float=lambda number: int(float(number)))
    api = client.ApiClient()
    try:
        model = api.deserialize(SimpleNamespace(data=json.dumps(whole)), f"V1{kind}")
    except ValueError:
        return False
    return api.sanitize_for_serialization(model) == whole


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param({}, id="defaults"),
        pytest.param(_ALL_FIELDS, id="everything set"),
        pytest.param({"storage": {"kind": "memory"}}, id="without volumes"),
    ],
)
def test_kubernetes_knows_every_field(declare: Declare, groups: dict[str, Any]) -> None:
    objects = [r for r in declare(**groups).resources if r.type.startswith("kubernetes:")]
    assert objects
    for resource in objects:
        assert understood(resource.type.rpartition(":")[2], resource.inputs), resource.urn


@pytest.mark.parametrize(
    "port", [{"port": 1, "target_port": 2}, {"port": 1, "targetProt": 2}, {"port": "http"}]
)
def test_a_misspelt_or_mistyped_field_is_noticed(port: dict[str, Any]) -> None:
    assert understood("Service", {"kind": "Service", "spec": {"ports": [{"port": 1}]}})
    assert not understood("Service", {"kind": "Service", "spec": {"ports": [port]}})


def test_every_object_is_looked_for_where_kubernetes_has_its_kind(declare: Declare) -> None:
    """By the addresses in the official client, which is made from Kubernetes' own description."""
    folder = Path(client.__file__).parent / "api"
    known = {part for file in folder.glob("*_api.py") for part in file.read_text().split("'")}
    found = [r for r in (*declare().resources, *make_cluster().resources) if "metadata" in r.inputs]
    kinds = [r for r in found if r.type.startswith("kubernetes:")]
    assert len({r.type for r in kinds}) > 6
    for resource in kinds:
        _, group_version, kind = resource.type.split(":")
        place = {key: f"{{{key}}}" for key in resource.inputs["metadata"] if key == "namespace"}
        at = orphans.address(group_version, kind, {**place, "name": "{name}"})
        assert at in known, resource.type
