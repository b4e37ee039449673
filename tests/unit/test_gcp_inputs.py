"""The stand-in of the gcp plugin refuses what the provider and Google's API would refuse."""

from __future__ import annotations

from typing import Any

import pytest

from lab.plugins.gcp import check
from lab.plugins.unknown import UNKNOWN
from tests.support.gcp_inputs import AROUND, GOOD, PROJECT, autopilot, changed, kind


def problems(name: str, inputs: Any) -> dict[str, str]:
    """Every problem, by path."""
    return dict(check.problems(kind(name), check.with_defaults(kind(name), inputs)))


@pytest.mark.parametrize("name", GOOD)
def test_what_the_program_declares_is_accepted(name: str) -> None:
    assert problems(name, GOOD[name]) == {}


def test_an_autopilot_cluster_is_accepted() -> None:
    assert problems("Cluster", autopilot()) == {}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_not_known_yet_is_not_judged(name: str) -> None:
    assert problems(name, dict.fromkeys(GOOD[name], UNKNOWN)) == {}


@pytest.mark.parametrize(
    ("name", "path", "value", "says"),
    [
        pytest.param("Cluster", "colour", "blue", "is no input", id="unknown input"),
        pytest.param("Cluster", "releaseChannel.chanel", "x", "is no input", id="misspelt"),
        pytest.param("Cluster", "initialNodeCount", "1", "an integer is expected", id="text"),
        pytest.param("Cluster", "initialNodeCount", 0, "greater than 0", id="no default pool"),
        pytest.param("Cluster", "enableLegacyAbac", "no", "true or false", id="no boolean"),
        pytest.param("Cluster", "releaseChannel", "REGULAR", "an object", id="no object"),
        pytest.param("Cluster", "releaseChannel.channel", "DAILY", "REGULAR, STABLE", id="channel"),
        pytest.param("Cluster", "releaseChannel", {}, "", id="channel missing"),
        pytest.param("Cluster", "loggingConfig.enableComponents", ["ALL"], "WORKLOADS", id="logs"),
        pytest.param("Cluster", "datapathProvider", "CILIUM", "ADVANCED_DATAPATH", id="datapath"),
        pytest.param("Cluster", "networkingMode", "NAT", "'VPC_NATIVE', 'ROUTES'", id="mode"),
        pytest.param("Cluster", "name", "Etcd", "lower case", id="name in capitals"),
        pytest.param("Cluster", "name", "e" * 41, "up to 40", id="name too long"),
        pytest.param("Cluster", "name", "etcd-", "no '-' last", id="name ends in a dash"),
        pytest.param("Cluster", "name", None, "is required", id="no name"),
        pytest.param("Cluster", "location", "Iowa", "us-central1", id="no place"),
        pytest.param("Cluster", "resourceLabels", {"Team": "x"}, "key 'Team'", id="label key"),
        pytest.param("Cluster", "resourceLabels.team", "A B", "a-z", id="label value"),
        pytest.param("Cluster", "databaseEncryption.state", "UNKNOWN", "DECRYPTED", id="state"),
        pytest.param("Cluster", "databaseEncryption.keyName", "key", "cryptoKeys", id="key"),
        pytest.param("Cluster", "enableAutopilot", False, "", id="set is set, even to false"),
        pytest.param("Cluster", "maintenancePolicy", {}, "exactly one", id="no window"),
        pytest.param(
            "Cluster",
            "maintenancePolicy.dailyMaintenanceWindow.startTime",
            "25:00",
            "HH:MM",
            id="hour",
        ),
        pytest.param("Cluster", "privateClusterConfig", {}, "at least one", id="empty object"),
        pytest.param(
            "Cluster", "ipAllocationPolicy.clusterIpv4CidrBlock", "/14", "", id="two ways at once"
        ),
        pytest.param(
            "Cluster",
            "masterAuthorizedNetworksConfig.cidrBlocks",
            [{"cidrBlock": "8.8.8.0/24"}],
            "not a reserved network",
            id="public range for a private endpoint",
        ),
        pytest.param(
            "Cluster",
            "masterAuthorizedNetworksConfig.cidrBlocks",
            [{"cidrBlock": "10.0.0.1/8"}],
            "has host bits set",
            id="bits behind the prefix",
        ),
        pytest.param(
            "Cluster",
            "masterAuthorizedNetworksConfig.cidrBlocks",
            [{"displayName": "office"}],
            "is required",
            id="range without a range",
        ),
        pytest.param("NodePool", "nodeCount", -1, "0 or more", id="negative"),
        pytest.param("NodePool", "nodeCount", 1.5, "an integer", id="half a node"),
        pytest.param("NodePool", "autoscaling", {"minNodeCount": 1}, "", id="two sizes"),
        pytest.param("NodePool", "upgradeSettings.maxSurge", 0, "both be 0", id="no upgrade"),
        pytest.param("NodePool", "upgradeSettings.strategy", "SHORT_LIVED", "BLUE_GREEN", id="how"),
        pytest.param("NodePool", "cluster", None, "is required", id="no cluster"),
        pytest.param(
            "NodePool",
            "nodeConfig.taints",
            [{"key": "a", "value": "b", "effect": "NoSchedule"}],
            "NO_SCHEDULE",
            id="effect in Kubernetes' words",
        ),
        pytest.param(
            "NodePool", "nodeConfig.taints", [{"key": "a", "effect": "NO_EXECUTE"}], "", id="taint"
        ),
        pytest.param("NodePool", "nodeConfig.oauthScopes", "x", "a list is expected", id="scopes"),
        pytest.param("NodePool", "nodeConfig.labels", ["x"], "an object is expected", id="labels"),
        pytest.param("NodePool", "nodeConfig.diskSizeGb", 9, "10 or more", id="small disk"),
        pytest.param("NodePool", "nodeConfig.serviceAccount", "me", "email", id="no email"),
        pytest.param("Account", "accountId", "etcd", "6 to 30", id="short account"),
        pytest.param("Account", "accountId", "e" * 31, "6 to 30", id="long account"),
        pytest.param("IAMMember", "member", "nodes", "serviceAccount:EMAIL", id="no member"),
        pytest.param("IAMMember", "role", "reader", "roles/NAME", id="no role"),
        pytest.param("IAMMember", "project", None, "is required", id="no project"),
        pytest.param("Repository", "format", "OCI", "DOCKER", id="format"),
        pytest.param("Repository", "repositoryId", "Etcd", "lower case", id="repository name"),
        pytest.param("Repository", "cleanupPolicies.0.id", None, "is required", id="policy"),
        pytest.param(
            "Repository", "cleanupPolicies.1.condition.olderThan", "30d", "3600s", id="duration"
        ),
        pytest.param(
            "Repository",
            "vulnerabilityScanningConfig.enablementConfig",
            "ON",
            "INHERITED",
            id="scanning",
        ),
        pytest.param("Subnetwork", "ipCidrRange", "10.0.0.0", "a CIDR", id="no range"),
        pytest.param("Subnetwork", "logConfig.metadata", "ALL", "INCLUDE_ALL", id="flow logs"),
        pytest.param("Network", "name", "1st", "a letter first", id="network name"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(name: str, path: str, value: Any, says: str) -> None:
    found = problems(name, changed(name, path, value))
    assert found, "accepted"
    assert says in " ".join(found.values()), found
    for where, wrong in found.items():
        assert where, wrong


@pytest.mark.parametrize(
    ("name", "path", "value", "where", "wrong"),
    [
        pytest.param(
            "Cluster",
            "monitoringConfig.managedPrometheus.enabled",
            "yes",
            "monitoringConfig.managedPrometheus.enabled",
            "is 'yes'; true or false is expected",
            id="an input that has another name in the API",
        ),
        pytest.param(
            "NodePool",
            "nodeConfig.taints",
            [{"key": "a", "value": 1, "effect": "NO_EXECUTE"}],
            "nodeConfig.taints[0].value",
            "is 1; a text is expected",
            id="in a list",
        ),
        pytest.param(
            "Repository",
            "cleanupPolicies.0.mostRecentVersions.keepCount",
            "ten",
            "cleanupPolicies[0].mostRecentVersions.keepCount",
            "is 'ten'; an integer is expected",
            id="in a list that is a mapping in the API",
        ),
        pytest.param(
            "NodePool",
            "autoscaling",
            {"minNodeCount": 1},
            "nodeCount",
            "conflicts with autoscaling",
            id="a conflict",
        ),
        pytest.param(
            "Cluster",
            "enableAutopilot",
            False,
            "removeDefaultNodePool",
            "conflicts with enableAutopilot",
            id="a conflict with what is set to false",
        ),
    ],
)
def test_a_problem_has_the_name_of_the_input(
    name: str, path: str, value: Any, where: str, wrong: str
) -> None:
    assert problems(name, changed(name, path, value))[where] == wrong


def test_all_problems_are_told_at_once() -> None:
    wrong = changed("Cluster", "name", "Etcd")
    found = problems("Cluster", {**wrong, "colour": "blue", "enableLegacyAbac": 1})
    assert set(found) == {"name", "colour", "enableLegacyAbac"}


def test_a_cluster_is_protected_unless_it_says_otherwise() -> None:
    unsaid = changed("Cluster", "deletionProtection", None)
    assert check.with_defaults(kind("Cluster"), unsaid)["deletionProtection"] is True


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("Network", f"projects/{PROJECT}/global/networks/etcd-prod"),
        ("Subnetwork", f"projects/{PROJECT}/regions/us-central1/subnetworks/etcd-prod"),
        ("Cluster", f"projects/{PROJECT}/locations/us-central1/clusters/etcd-prod"),
        (
            "NodePool",
            f"projects/{PROJECT}/locations/us-central1/clusters/etcd-prod/nodePools/etcd",
        ),
        ("Repository", f"projects/{PROJECT}/locations/us-central1/repositories/etcd-prod"),
    ],
)
def test_ids_are_those_of_the_provider(name: str, id_: str) -> None:
    assert kind(name).identify(GOOD[name], AROUND) == id_
