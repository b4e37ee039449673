"""Which changes replace a resource of Google's, and which are made in place."""

from __future__ import annotations

from typing import Any

import pytest

from lab.plugins.gcp.diff import changes, deletes_first
from tests.support.gcp_inputs import GOOD, changed, kind


@pytest.mark.parametrize(
    ("name", "path", "value", "replaces"),
    [
        pytest.param("Cluster", "location", "europe-west1", True, id="region"),
        pytest.param("Cluster", "name", "other", True, id="name"),
        pytest.param("Cluster", "network", "default", True, id="network"),
        pytest.param("Cluster", "subnetwork", "other", True, id="subnetwork"),
        pytest.param("Cluster", "project", "other-project", True, id="project"),
        pytest.param("Cluster", "initialNodeCount", 2, True, id="first size"),
        pytest.param("Cluster", "description", "mine", True, id="description"),
        pytest.param(
            "Cluster", "privateClusterConfig.enablePrivateNodes", False, True, id="private nodes"
        ),
        pytest.param(
            "Cluster",
            "ipAllocationPolicy.clusterSecondaryRangeName",
            "more",
            True,
            id="pods' addresses",
        ),
        pytest.param("Cluster", "releaseChannel.channel", "STABLE", False, id="channel"),
        pytest.param("Cluster", "deletionProtection", True, False, id="protection"),
        pytest.param("Cluster", "resourceLabels.team", "other", False, id="labels"),
        pytest.param(
            "Cluster", "privateClusterConfig.enablePrivateEndpoint", False, False, id="endpoint"
        ),
        pytest.param("Cluster", "databaseEncryption.state", "DECRYPTED", False, id="encryption"),
        pytest.param(
            "Cluster", "masterAuthorizedNetworksConfig.cidrBlocks", [], False, id="networks"
        ),
        pytest.param("NodePool", "nodeCount", 2, False, id="node count"),
        pytest.param("NodePool", "nodeConfig.machineType", "n2d-standard-2", False, id="machine"),
        pytest.param("NodePool", "nodeConfig.taints", [], False, id="taints"),
        pytest.param("NodePool", "nodeConfig.serviceAccount", "a@b.c", True, id="account"),
        pytest.param(
            "NodePool",
            "nodeConfig.shieldedInstanceConfig.enableSecureBoot",
            False,
            True,
            id="secure boot",
        ),
        pytest.param("NodePool", "name", "other", True, id="pool's name"),
        pytest.param("Repository", "location", "europe-west1", True, id="repository's place"),
        pytest.param("Repository", "format", "NPM", True, id="format"),
        pytest.param("Repository", "dockerConfig.immutableTags", False, False, id="tags"),
        pytest.param("Repository", "cleanupPolicies", [], False, id="policies"),
        pytest.param("Account", "accountId", "other-nodes", True, id="account's name"),
        pytest.param("Account", "displayName", "Mine", False, id="account's title"),
        pytest.param("IAMMember", "role", "roles/viewer", True, id="role"),
        pytest.param("Network", "autoCreateSubnetworks", True, True, id="automatic subnets"),
        pytest.param("Subnetwork", "privateIpGoogleAccess", False, False, id="Google's APIs"),
    ],
)
def test_immutable_inputs_replace_and_others_do_not(
    name: str, path: str, value: Any, replaces: bool
) -> None:
    found = changes(kind(name), GOOD[name], changed(name, path, value))
    assert found
    assert any(change.replaces for change in found) is replaces


@pytest.mark.parametrize("name", GOOD)
def test_without_a_change_there_is_nothing_to_do(name: str) -> None:
    assert changes(kind(name), GOOD[name], GOOD[name]) == []


def test_what_is_taken_away_is_a_change() -> None:
    (change,) = changes(
        kind("Cluster"), GOOD["Cluster"], changed("Cluster", "maintenancePolicy", None)
    )
    assert change.kind == "delete"
    assert change.top == "maintenancePolicy"


def test_an_empty_list_is_as_good_as_none() -> None:
    empty = {**GOOD["Repository"], "cleanupPolicies": []}
    absent = changed("Repository", "cleanupPolicies", None)
    assert changes(kind("Repository"), empty, absent) == []


def test_a_replacement_of_the_same_name_deletes_first() -> None:
    """As the real one: Google has no two clusters of one name in one place."""
    old = GOOD["Cluster"]
    assert deletes_first(kind("Cluster"), old, changed("Cluster", "location", "europe-west1"))
    assert not deletes_first(kind("Cluster"), old, changed("Cluster", "name", "other"))
    moved = changed("Repository", "location", "europe-west1")
    assert not deletes_first(kind("Repository"), GOOD["Repository"], moved)
