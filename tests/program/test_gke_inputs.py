"""Every declared Google resource is one that the installed SDK knows, input by input."""

from __future__ import annotations

import collections.abc
import warnings
from collections.abc import Awaitable, Iterator
from importlib.metadata import version
from typing import Any, Union, cast, get_args, get_origin

import pulumi
import pulumi_gcp as gcp
import pytest
from pulumi import (
    _types as sdk_types,  # pyright: ignore[reportPrivateUsage] - how the SDK names inputs
)

from tests.program.conftest import KMS_KEY, make_cluster
from tests.support.program import Declared

with warnings.catch_warnings():
    # The SDK warns of names of its own that nobody has used.
    warnings.simplefilter("ignore", DeprecationWarning)
    network_arguments, subnetwork_arguments = gcp.compute.NetworkArgs, gcp.compute.SubnetworkArgs

ARGUMENTS: dict[str, type[Any]] = {
    "gcp:compute/network:Network": network_arguments,
    "gcp:compute/subnetwork:Subnetwork": subnetwork_arguments,
    "gcp:serviceaccount/account:Account": gcp.serviceaccount.AccountArgs,
    "gcp:projects/iAMMember:IAMMember": gcp.projects.IAMMemberArgs,
    "gcp:artifactregistry/repository:Repository": gcp.artifactregistry.RepositoryArgs,
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": (
        gcp.artifactregistry.RepositoryIamMemberArgs
    ),
    "gcp:container/cluster:Cluster": gcp.container.ClusterArgs,
    "gcp:container/nodePool:NodePool": gcp.container.NodePoolArgs,
}
"""The types that the program declares, no others, with the SDK's classes of their inputs."""

EVERYTHING: dict[str, Any] = {
    "deletionProtection": True,
    "authorizedNetworks": ["203.0.113.0/24"],
    "kmsKey": KMS_KEY,
    "labels": {"team": "storage"},
}

WAYS = pytest.mark.parametrize(
    "gke",
    [
        pytest.param({}, id="defaults"),
        pytest.param(EVERYTHING, id="everything set"),
        pytest.param({**EVERYTHING, "autopilot": True}, id="autopilot"),
        pytest.param({"zone": "us-central1-f", "nodeCount": 1}, id="one zone"),
    ],
)


def misfits(kind: Any, value: Any, path: str) -> Iterator[str]:
    """Where a value is not what the SDK's type of it says."""
    if get_origin(kind) is Union:
        # Input[X] is X, or what becomes an X.
        (kind,) = (k for k in get_args(kind) if get_origin(k) not in (Awaitable, pulumi.Output))
    inner = get_args(kind)
    if get_origin(kind) is collections.abc.Sequence:
        if not isinstance(value, list):
            yield f"{path}: no list"
            return
        for index, entry in enumerate(cast("list[Any]", value)):
            yield from misfits(inner[0], entry, f"{path}[{index}]")
    elif get_origin(kind) is collections.abc.Mapping:
        if not all(isinstance(entry, str) for entry in value.values()):
            yield f"{path}: no texts"
    elif kind in (int, float):
        # Every number went through the protocol as a float.
        if not isinstance(value, float) or (kind is int and not value.is_integer()):
            yield f"{path}: no number"
    elif kind in (str, bool):
        if not isinstance(value, kind):
            yield f"{path}: no {kind.__name__}"
    elif not isinstance(value, dict):
        yield f"{path}: no object"
    else:
        yield from unknown_keys(kind, cast("dict[str, Any]", value), path)


def unknown_keys(kind: type[Any], value: dict[str, Any], path: str) -> Iterator[str]:
    known = sdk_types.input_type_types(kind)
    for key, entry in value.items():
        if key not in known:
            yield f"{path}.{key}: unknown"
        else:
            yield from misfits(known[key], entry, f"{path}.{key}")


def google(gke: dict[str, Any], *, preview: bool = False) -> list[Declared]:
    resources = make_cluster(gke=gke, preview=preview).resources
    return [r for r in resources if r.type.startswith("gcp:")]


@WAYS
def test_the_sdk_knows_every_input_and_its_type(gke: dict[str, Any]) -> None:
    for resource in google(gke):
        kind = ARGUMENTS[resource.type]
        assert list(unknown_keys(kind, resource.inputs, resource.type)) == []


@WAYS
def test_no_input_is_sent_as_nothing(gke: dict[str, Any]) -> None:
    """A null is not the same as a key that is not there, in a diff."""

    def nulls(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(nulls, cast("dict[str, Any]", value).values()))
        if isinstance(value, list):
            return any(map(nulls, cast("list[Any]", value)))
        return value is None

    assert not [r.urn for r in google(gke) if nulls(r.inputs)]


@pytest.mark.parametrize(
    "inputs",
    [
        {"locaton": "us-central1"},
        {"releaseChannel": {"chanel": "REGULAR"}},
        {"releaseChannel": {"channel": True}},
        {"releaseChannel": "REGULAR"},
        {"enableShieldedNodes": "true"},
        {"initialNodeCount": 1.5},
        {"resourceLabels": {"team": 1.0}},
        {"masterAuthorizedNetworksConfig": {"cidrBlocks": {"cidrBlock": "10.0.0.0/8"}}},
        {"masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidr": "10.0.0.0/8"}]}},
    ],
)
def test_a_misspelt_or_mistyped_input_is_noticed(inputs: dict[str, Any]) -> None:
    assert list(unknown_keys(gcp.container.ClusterArgs, inputs, "cluster"))


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_exactly_the_promised_types_are_declared(preview: bool) -> None:
    declared = [r.type for r in google({}, preview=preview)]
    assert sorted(declared) == sorted(ARGUMENTS)
    without_pool = [r.type for r in google({"autopilot": True}, preview=preview)]
    assert sorted([*without_pool, "gcp:container/nodePool:NodePool"]) == sorted(ARGUMENTS)


@WAYS
def test_every_resource_asks_for_the_plugin_of_the_installed_sdk(gke: dict[str, Any]) -> None:
    assert {r.version for r in google(gke)} == {version("pulumi-gcp")}


@WAYS
def test_every_resource_names_its_project(gke: dict[str, Any]) -> None:
    """Whatever project the provider or gcloud has as its own."""
    assert {r.inputs["project"] for r in google(gke)} == {"my-project"}
