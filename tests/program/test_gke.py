"""The program on a cluster that it makes: order, place, access, secrets and protection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pulumi.runtime import rpc

from components.dynamic.requirements import other_platform
from components.gke import account_id
from tests.program.conftest import KMS_KEY, Declare, make_cluster
from tests.support.program import (
    AUTHORITY,
    DNS_ENDPOINT,
    DYNAMIC,
    EMAIL,
    IP_ENDPOINT,
    SEQUENCES,
    Declared,
    Program,
)

BOTH = pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
REPOSITORY = "gcp:artifactregistry/repository:Repository"
READER = "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember"
CONTEXT = "gke_my-project_us-central1_etcd-dev"


def google(program: Program) -> list[Declared]:
    return [r for r in program.resources if r.type.startswith("gcp:")]


def waits(program: Program, later: Declared, sooner: Declared) -> bool:
    return sooner.urn in program.waits_for(later)


def kubeconfig(program: Program) -> Any:
    return json.loads(program.one("pulumi:providers:kubernetes").inputs["kubeconfig"])


# ---------------------------------------------------------------- order


@BOTH
def test_google_is_asked_for_nothing_before_the_requirements_are_met(preview: bool) -> None:
    program = make_cluster(preview=preview)
    requirements = program.one(f"{DYNAMIC}Requirements")
    for resource in google(program):
        assert waits(program, resource, requirements), resource.urn
    assert not program.waits_for(requirements)


@BOTH
def test_the_nodes_are_there_before_anything_in_kubernetes_and_go_after_it(preview: bool) -> None:
    program = make_cluster(preview=preview)
    inside = [r for r in program.resources if r.type.startswith("kubernetes:")]
    sequences = [program.one(f"{DYNAMIC}{name}") for name in SEQUENCES]
    provider = program.one("pulumi:providers:kubernetes")
    assert len(inside) == 14
    for resource in (*inside, *sequences, provider):
        assert waits(program, resource, program.one(POOL)), resource.urn
        assert waits(program, resource, program.one(READER)), resource.urn


@BOTH
def test_autopilot_has_no_pool_to_wait_for(preview: bool) -> None:
    program = make_cluster(preview=preview, gke={"autopilot": True})
    assert not program.all(POOL)
    assert waits(program, program.one(f"{DYNAMIC}Preflight"), program.one(CLUSTER))


def test_nodes_come_with_the_rights_that_they_need_from_the_first_minute() -> None:
    program = make_cluster()
    role = program.one("gcp:projects/iAMMember:IAMMember")
    assert role.inputs["member"] == f"serviceAccount:{EMAIL}"
    assert waits(program, program.one(CLUSTER), role)


def test_the_network_outlives_the_cluster_in_it() -> None:
    program = make_cluster()
    cluster = program.one(CLUSTER)
    for kind in ("gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork"):
        assert waits(program, cluster, program.one(kind))
    assert cluster.inputs["subnetwork"] == "etcd-dev-id"


def test_a_volumes_class_outlives_the_workloads() -> None:
    program = make_cluster()
    for workload in program.all("StatefulSet"):
        for kind in ("StorageClass", "PriorityClass"):
            assert waits(program, workload, program.one(kind)), (workload.name, kind)


# ---------------------------------------------------------------- where it is


@pytest.mark.parametrize(
    ("gke", "location", "per_zone"),
    [
        ({}, "us-central1", 1),
        ({"nodeCount": 6}, "us-central1", 2),
        ({"region": "europe-west1", "nodeCount": 9}, "europe-west1", 3),
        ({"zone": "us-central1-f", "nodeCount": 2}, "us-central1-f", 2),
    ],
)
def test_nodes_are_counted_in_total(gke: dict[str, Any], location: str, per_zone: int) -> None:
    program = make_cluster(gke=gke)
    assert program.one(POOL).inputs["nodeCount"] == per_zone
    assert program.one(POOL).inputs["location"] == location
    assert program.one(CLUSTER).inputs["location"] == location
    region = gke.get("region", "us-central1")
    assert program.one(REPOSITORY).inputs["location"] == region
    assert program.one("gcp:compute/subnetwork:Subnetwork").inputs["region"] == region


def test_the_first_pool_of_google_goes_and_ours_comes() -> None:
    program = make_cluster()
    assert program.one(CLUSTER).inputs["removeDefaultNodePool"] is True
    assert program.one(CLUSTER).inputs["initialNodeCount"] == 1
    assert "nodeConfig" not in program.one(CLUSTER).inputs, "else it is replaced by every `up`"
    assert program.one(POOL).inputs["cluster"] == "etcd-dev"


def test_an_upgrade_never_leaves_fewer_nodes() -> None:
    settings = make_cluster().one(POOL).inputs["upgradeSettings"]
    assert settings == {"strategy": "SURGE", "maxSurge": 1, "maxUnavailable": 0}


def test_autopilot_is_told_nothing_that_it_refuses() -> None:
    """Fields that the provider's schema has in conflict with enable_autopilot."""
    inputs = make_cluster(gke={"autopilot": True}).one(CLUSTER).inputs
    assert inputs["enableAutopilot"] is True
    refused = (
        "removeDefaultNodePool",
        "enableShieldedNodes",
        "enableIntranodeVisibility",
        "networkPolicy",
        "workloadIdentityConfig",
        "nodePools",
        "nodeConfig",
        "addonsConfig",
    )
    assert not [key for key in refused if key in inputs]
    assert "enabled" not in inputs["clusterAutoscaling"]


@pytest.mark.parametrize(
    ("machine", "platform", "boot"),
    [
        ("e2-standard-2", "linux/amd64", "pd-balanced"),
        ("n2d-standard-4", "linux/amd64", "pd-balanced"),
        ("t2a-standard-2", "linux/arm64", "pd-balanced"),
        ("n4-standard-2", "linux/amd64", "hyperdisk-balanced"),
        ("c4a-standard-2", "linux/arm64", "hyperdisk-balanced"),
    ],
)
def test_machines_boot_from_a_disk_that_they_take(machine: str, platform: str, boot: str) -> None:
    program = make_cluster(
        gke={"machineType": machine}, image={"platform": platform}, storage={"className": "fast"}
    )
    assert program.one(POOL).inputs["nodeConfig"]["diskType"] == boot


def test_labels_are_on_what_google_bills() -> None:
    program = make_cluster(gke={"labels": {"team": "storage"}})
    assert program.one(CLUSTER).inputs["resourceLabels"] == {"team": "storage"}
    assert program.one(POOL).inputs["nodeConfig"]["resourceLabels"] == {"team": "storage"}
    assert program.one(REPOSITORY).inputs["labels"] == {"team": "storage"}
    assert make_cluster().one("StorageClass").inputs == program.one("StorageClass").inputs, (
        "its parameters are immutable"
    )


@pytest.mark.parametrize("name", ["etcd", "etcd-production", "e" * 24, "e" * 40, "a-b-c-d-" * 4])
def test_the_account_of_the_nodes_has_a_name_that_google_takes(name: str) -> None:
    found = account_id(name)
    assert 6 <= len(found) <= 30
    assert found.endswith("-nodes")
    assert "--" not in found
    assert account_id(f"{name}x") != found


# ---------------------------------------------------------------- access


def test_without_networks_the_control_plane_is_reached_by_its_dns_name() -> None:
    program = make_cluster()
    inputs = program.one(CLUSTER).inputs
    assert inputs["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["allowExternalTraffic"]
    (server,) = kubeconfig(program)["clusters"]
    # Google's certificate, which every machine can verify.
    assert server == {"name": CONTEXT, "cluster": {"server": f"https://{DNS_ENDPOINT}"}}


def test_with_networks_it_is_reached_by_address_from_these_alone() -> None:
    program = make_cluster(gke={"authorizedNetworks": ["203.0.113.0/24"]})
    inputs = program.one(CLUSTER).inputs
    assert inputs["privateClusterConfig"]["enablePrivateEndpoint"] is False
    assert inputs["privateClusterConfig"]["enablePrivateNodes"] is True
    (block,) = inputs["masterAuthorizedNetworksConfig"]["cidrBlocks"]
    assert block["cidrBlock"] == "203.0.113.0/24"
    assert not inputs["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["allowExternalTraffic"]
    (server,) = kubeconfig(program)["clusters"]
    assert server["cluster"] == {
        "server": f"https://{IP_ENDPOINT}",
        "certificate-authority-data": AUTHORITY,
    }


def test_the_kubeconfig_asks_gcloud_for_credentials_and_holds_none() -> None:
    found = kubeconfig(make_cluster())
    assert found["current-context"] == CONTEXT
    (user,) = found["users"]
    assert list(user["user"]) == ["exec"]
    assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert user["user"]["exec"]["apiVersion"] == "client.authentication.k8s.io/v1beta1"
    assert user["user"]["exec"]["provideClusterInfo"] is True


@BOTH
def test_the_provider_is_identified_by_what_is_known_beforehand(preview: bool) -> None:
    """An unknown identifier would plan to replace everything in the cluster."""
    provider = make_cluster(preview=preview).one("pulumi:providers:kubernetes").inputs
    expected = "projects/my-project/locations/us-central1/clusters/etcd-dev"
    assert provider["clusterIdentifier"] == expected
    assert provider["context"] == CONTEXT


def test_the_kubeconfig_is_secret_wherever_it_goes() -> None:
    program = make_cluster()
    holders = [program.one("pulumi:providers:kubernetes")]
    holders += [program.one(f"{DYNAMIC}{name}") for name in SEQUENCES]
    for resource in holders:
        assert "kubeconfig" in resource.secrets, resource.urn
    assert program.exports["kubeconfig"].secret
    assert program.exports["context"].value == CONTEXT
    assert not [r.urn for r in google(program) if "kubeconfig" in str(r.inputs)]


def test_the_exported_kubeconfig_is_the_one_that_is_used() -> None:
    program = make_cluster()
    assert json.loads(program.exports["kubeconfig"].value) == kubeconfig(program)


# ---------------------------------------------------------------- preview from nothing


def test_a_preview_from_nothing_shows_all_that_an_up_makes() -> None:
    """The cluster is not there, so nothing of it is known; it is all declared all the same."""
    preview, up = make_cluster(preview=True), make_cluster()
    assert {r.urn for r in preview.resources} == {r.urn for r in up.resources}


def test_nothing_is_known_of_a_cluster_that_is_not_there() -> None:
    program = make_cluster(preview=True)
    for name in SEQUENCES:
        assert program.one(f"{DYNAMIC}{name}").inputs["kubeconfig"] == rpc.UNKNOWN, name
    assert not program.exports["kubeconfig"].known
    assert program.exports["kubeconfig"].secret


# ---------------------------------------------------------------- protection


@pytest.mark.parametrize("protect", [True, False])
def test_what_holds_the_members_is_protected_twice_or_not_at_all(protect: bool) -> None:
    """By Pulumi, which refuses before anything is touched, and by the provider, for other tools."""
    program = make_cluster(gke={"deletionProtection": protect})
    assert program.one(CLUSTER).inputs["deletionProtection"] is protect
    guarded = {r.type for r in program.resources if r.protect}
    assert guarded == ({CLUSTER, POOL} if protect else set())


def test_nothing_is_left_behind_by_an_option() -> None:
    """Disks and load balancers are ended by what made them, so nothing is merely forgotten."""
    for resource in make_cluster().resources:
        assert not resource.retained, resource.urn
        assert not resource.deleted_with, resource.urn


@BOTH
def test_the_refusal_of_a_destroy_comes_before_everything_else_goes(preview: bool) -> None:
    balancer = {"type": "LoadBalancer"}
    program = make_cluster(preview=preview, gke={"deletionProtection": True}, service=balancer)
    protection = program.one(f"{DYNAMIC}Protection")
    assert protection.inputs["protected"] is True
    for resource in program.resources:
        provider = resource.type.startswith("pulumi:providers:")
        if resource is not protection and not provider:
            assert waits(program, protection, resource), resource.urn


FIXED = {
    "gke.project": ("project", "other-project"),
    "gke.region": ("region", "europe-west1"),
    "gke.zone": ("zone", "us-central1-f"),
    "gke.clusterName": ("clusterName", "kv"),
    "gke.autopilot": ("autopilot", True),
    "gke.kmsKey": ("kmsKey", KMS_KEY),
}


@pytest.mark.parametrize("path", FIXED)
def test_what_would_replace_the_cluster_is_fixed(path: str) -> None:
    key, value = FIXED[path]
    before = make_cluster().one(f"{DYNAMIC}Requirements").inputs["fixed"]
    after = make_cluster(gke={key: value}).one(f"{DYNAMIC}Requirements").inputs["fixed"]
    assert set(before) == set(FIXED)
    assert {k for k in before if before[k] != after[k]} == {path}


@pytest.mark.parametrize(
    "gke",
    [
        pytest.param({"nodeCount": 6}, id="more nodes"),
        pytest.param({"machineType": "n2d-standard-4"}, id="larger nodes"),
        pytest.param({"channel": "STABLE"}, id="another channel"),
        pytest.param({"deletionProtection": True}, id="protection"),
        pytest.param({"authorizedNetworks": ["203.0.113.0/24"]}, id="another way in"),
        pytest.param({"labels": {"team": "storage"}}, id="labels"),
        pytest.param({"maintenanceStart": "22:30"}, id="another hour"),
    ],
)
def test_all_else_changes_in_place(gke: dict[str, Any]) -> None:
    before = make_cluster().one(f"{DYNAMIC}Requirements").inputs
    after = make_cluster(gke=gke).one(f"{DYNAMIC}Requirements").inputs
    assert other_platform(before["nodes"], after["nodes"]) is None
    assert {**after, "nodes": before["nodes"]} == before


def test_nodes_of_another_processor_are_refused() -> None:
    before, after = (
        make_cluster(gke={"machineType": machine}, image={"platform": platform})
        .one(f"{DYNAMIC}Requirements")
        .inputs["nodes"]
        for machine, platform in (
            ("e2-standard-2", "linux/amd64"),
            ("t2a-standard-2", "linux/arm64"),
        )
    )
    assert other_platform(before, after)
    assert other_platform(after, before)


def test_a_made_cluster_is_not_exchanged_for_another(declare: Declare) -> None:
    """The preflight compares: it is there in both ways."""
    key = "gke.create"
    theirs = declare().one(f"{DYNAMIC}Preflight").inputs["fixed"]
    ours = make_cluster().one(f"{DYNAMIC}Preflight").inputs["fixed"]
    assert (theirs[key], ours[key]) == ("false", "true")


@pytest.mark.parametrize(
    ("groups", "programs"),
    [
        ({}, ["gke-gcloud-auth-plugin", "docker"]),
        (
            {"image": {"build": False, "registry": "r.test/x", "digest": f"sha256:{'1f' * 32}"}},
            ["gke-gcloud-auth-plugin"],
        ),
    ],
)
def test_the_programs_that_are_needed_are_looked_for(
    groups: dict[str, Any], programs: list[str]
) -> None:
    assert make_cluster(**groups).one(f"{DYNAMIC}Requirements").inputs["programs"] == programs


def test_the_apis_that_are_needed_are_asked_about() -> None:
    apis = make_cluster().one(f"{DYNAMIC}Requirements").inputs["apis"]
    assert "container.googleapis.com" in apis
    assert "cloudkms.googleapis.com" not in apis
    with_key = make_cluster(gke={"kmsKey": KMS_KEY}).one(f"{DYNAMIC}Requirements").inputs["apis"]
    assert set(with_key) == {*apis, "cloudkms.googleapis.com"}
