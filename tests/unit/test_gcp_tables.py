"""The tables of the stand-in speak of inputs and fields that there are."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi_gcp as gcp
import pytest

# The SDK's own way from its Python names to the names that go over the wire.
from pulumi._types import input_type_py_to_pulumi_names

from lab.plugins.gcp import discovery
from lab.plugins.gcp.body import build
from lab.plugins.gcp.paths import is_below
from lab.plugins.gcp.resource import ResourceType, To
from lab.plugins.gcp.types import TYPES
from tests.support.gcp_inputs import GOOD, autopilot, kind

_ARGS: Mapping[str, Any] = {
    "Cluster": gcp.container.ClusterArgs,
    "NodePool": gcp.container.NodePoolArgs,
    "Account": gcp.serviceaccount.AccountArgs,
    "IAMMember": gcp.projects.IAMMemberArgs,
    "Repository": gcp.artifactregistry.RepositoryArgs,
    "RepositoryIamMember": gcp.artifactregistry.RepositoryIamMemberArgs,
    "Network": gcp.compute.NetworkArgs,
    "Subnetwork": gcp.compute.SubnetworkArgs,
}

ALL = pytest.mark.parametrize("kind", TYPES.values(), ids=lambda kind: kind.name)


@ALL
def test_every_input_of_a_table_is_an_input_of_the_provider(kind: ResourceType) -> None:
    known = set(_paths(_ARGS[kind.name]))
    assert set(kind.table) - known == set()


def _paths(args: Any, start: str = "") -> Iterator[str]:
    """Every input of an argument class of the SDK, at any depth."""
    for name, camel in input_type_py_to_pulumi_names(args).items():
        yield f"{start}{camel}"
        # As text: the SDK's annotations name classes that their own modules do not import.
        annotation = str(getattr(args, name).fget.__annotations__["return"])
        if inner := re.search(r"(\w+Args)\b", annotation):
            is_list = "Sequence" in annotation
            below = getattr(sys.modules[args.__module__], inner[1])
            yield from _paths(below, f"{start}{camel}{'[]' * is_list}.")


@ALL
def test_every_target_of_a_table_is_a_field_that_google_documents(kind: ResourceType) -> None:
    schemas = discovery.schemas(kind.api.document)
    for target in kind.table.values():
        path = target.path if isinstance(target, To) else target
        node: Any = {"$ref": kind.schema}
        for token in filter(None, path.split(".")):
            fields = schemas[node["$ref"]]["properties"]
            node = fields[re.sub(r"\[\]|\{\w+\}", "", token)]
            assert not node.get("readOnly"), f"{path} is set by Google alone"
            if token.endswith("[]"):
                node = node["items"]
            elif token.endswith("}"):
                node = node["additionalProperties"]


@ALL
def test_every_rule_speaks_of_inputs_that_the_table_knows(kind: ResourceType) -> None:
    rules = [
        *kind.required,
        *kind.patterns,
        *kind.labels,
        *kind.choices,
        *kind.minima,
        *(path for pair in kind.conflicts for path in pair),
        *(f"{path}.{name}" for path, names in kind.exactly_one.items() for name in names),
        *(f"{path}.{name}" for path, names in kind.at_least_one.items() for name in names),
        *kind.immutable,
        *kind.defaults,
        *([kind.named] if kind.named else []),
    ]
    plain = [row.replace("[]", "") for row in kind.table]
    strays = [rule for rule in rules if not any(is_below(row, rule) for row in plain)]
    # Not served, and named because the documentation names it.
    assert set(strays) <= {"nodeConfig"}


def test_the_bodies_are_those_that_the_provider_sends() -> None:
    cluster = build(GOOD["Cluster"], kind("Cluster").table).content
    assert cluster["ipAllocationPolicy"]["useIpAliases"] is True
    assert cluster["networkConfig"]["defaultEnablePrivateNodes"] is True
    endpoints = cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]
    assert endpoints["enablePublicEndpoint"] is False
    assert endpoints["authorizedNetworksConfig"]["cidrBlocks"][0]["cidrBlock"] == "10.0.0.0/8"
    assert "location" not in cluster
    pool = build(GOOD["NodePool"], kind("NodePool").table).content
    assert pool["initialNodeCount"] == 1
    assert pool["config"]["taints"] == [
        {"key": "dedicated", "value": "etcd", "effect": "NO_SCHEDULE"}
    ]
    policies = build(GOOD["Repository"], kind("Repository").table).content["cleanupPolicies"]
    assert set(policies) == {"keep", "delete"}
    assert policies["keep"]["mostRecentVersions"] == {"keepCount": 10}
    member = build(GOOD["IAMMember"], kind("IAMMember").table).content
    assert member["members"] == [GOOD["IAMMember"]["member"]]
    pilot = build(autopilot(), kind("Cluster").table).content
    assert pilot["autopilot"] == {"enabled": True}
