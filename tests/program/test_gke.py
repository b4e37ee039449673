"""The program on a cluster that it makes: order, options, secrets, and where members go."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pulumi.runtime import rpc

from components.gke import account_id
from tests.program.conftest import KMS_KEY, Declare, make_cluster
from tests.support.program import (
    AUTHORITY,
    DNS_ENDPOINT,
    DYNAMIC,
    EMAIL,
    IP_ENDPOINT,
    REGISTRY_URI,
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
    assert len(inside) == 12
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


# ---------------------------------------------------------------- registry and image


def test_the_image_goes_to_the_registry_of_the_cluster_and_pods_pull_it_by_digest() -> None:
    program = make_cluster()
    image = program.one("docker:index/image:Image")
    assert image.inputs["imageName"].startswith(f"{REGISTRY_URI}/etcd:v3.6.14-")
    assert waits(program, image, program.one(REPOSITORY))
    for workload in program.all("StatefulSet"):
        assert "@sha256:" in workload.container["image"]


def test_a_tag_that_cannot_move_tells_what_is_in_the_image(tmp_path: Any) -> None:
    def tag(**image: Any) -> str:
        (built,) = make_cluster(image=image).all("docker:index/image:Image")
        return built.inputs["imageName"].rpartition(":")[2]

    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    first = tag(context=str(tmp_path))
    assert tag(context=str(tmp_path)) == first, "a second `up` builds nothing"
    assert tag(context=str(tmp_path), pythonBase="mirror.test/python:3") != first
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert tag(context=str(tmp_path)) == first
    (tmp_path / "more").write_text("1")
    with_more = tag(context=str(tmp_path))
    (tmp_path / "more").write_text("2")
    assert len({first, with_more, tag(context=str(tmp_path))}) == 3
    assert tag(context=str(tmp_path), tag="mine") == "mine"


def test_elsewhere_the_tag_is_the_version_as_ever(declare: Declare) -> None:
    image = declare().one("docker:index/image:Image")
    assert image.inputs["imageName"] == "localhost:5000/etcd:v3.6.14"


def test_tags_cannot_move_and_what_nobody_uses_goes() -> None:
    inputs = make_cluster().one(REPOSITORY).inputs
    assert inputs["dockerConfig"] == {"immutableTags": True}
    keep, delete = inputs["cleanupPolicies"]
    assert (keep["action"], keep["mostRecentVersions"]["keepCount"]) == ("KEEP", 10)
    assert (delete["action"], delete["condition"]["tagState"]) == ("DELETE", "UNTAGGED")


def test_a_registry_that_is_there_is_taken_and_none_is_made() -> None:
    program = make_cluster(image={"registry": "r.test/team"})
    assert not program.all(REPOSITORY)
    assert not program.all(READER)
    image = program.one("docker:index/image:Image")
    assert image.inputs["imageName"] == "r.test/team/etcd:v3.6.14"


def test_the_nodes_may_read_this_repository_and_nothing_else() -> None:
    inputs = make_cluster().one(READER).inputs
    assert inputs["repository"] == "etcd-dev"
    assert inputs["member"] == f"serviceAccount:{EMAIL}"


# ---------------------------------------------------------------- members on their nodes


def unit(program: Program) -> Any:
    return program.one("StatefulSet", "etcd").pod


def test_members_go_to_the_nodes_that_are_made_for_them() -> None:
    program = make_cluster(
        units={"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "a", "operator": "Exists"}]}
    )
    node = program.one(POOL).inputs["nodeConfig"]
    (taint,) = node["taints"]
    assert taint["effect"] == "NO_SCHEDULE"
    for workload in program.all("StatefulSet"):
        assert workload.pod["nodeSelector"] == {**node["labels"], "disk": "ssd"}
        own, theirs = workload.pod["tolerations"]
        assert own == {"key": taint["key"], "operator": "Exists", "effect": "NoSchedule"}
        assert theirs["key"] == "a"


def test_googles_own_pods_find_a_node_in_a_cluster_with_one_pool() -> None:
    """They tolerate this taint alone; without DNS and the API server's tunnel nothing works."""
    (taint,) = make_cluster().one(POOL).inputs["nodeConfig"]["taints"]
    assert taint["key"] == "components.gke.io/gke-managed-components"


def test_autopilot_is_not_asked_for_nodes_that_it_has_not() -> None:
    pod = unit(make_cluster(gke={"autopilot": True}))
    assert "nodeSelector" not in pod
    assert "tolerations" not in pod


def constraint(program: Program, name: str, key: str) -> Any:
    found = program.one("StatefulSet", name).pod["topologySpreadConstraints"]
    return next(c for c in found if c["topologyKey"] == key)


ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def test_units_never_share_a_zone_unevenly_where_there_are_three() -> None:
    program = make_cluster()
    assert constraint(program, "etcd", ZONE)["whenUnsatisfiable"] == "DoNotSchedule"
    assert "minDomains" not in constraint(program, "etcd", ZONE)
    # A second node of a zone, or a surge, must not keep a unit from its volume's zone.
    assert constraint(program, "etcd", HOST)["whenUnsatisfiable"] == "ScheduleAnyway"
    assert constraint(program, "etcd-seed", ZONE)["whenUnsatisfiable"] == "ScheduleAnyway"


def test_autopilot_makes_nodes_in_three_zones_for_them() -> None:
    found = constraint(make_cluster(gke={"autopilot": True}), "etcd", ZONE)
    assert found["minDomains"] == 3
    assert found["whenUnsatisfiable"] == "DoNotSchedule"


def test_in_one_zone_there_is_nothing_to_spread_over() -> None:
    program = make_cluster(gke={"zone": "us-central1-f"})
    assert constraint(program, "etcd", ZONE)["whenUnsatisfiable"] == "ScheduleAnyway"


@pytest.mark.parametrize("retain", [True, False])
def test_volumes_are_ssds_that_grow_and_come_where_the_member_is(retain: bool) -> None:
    """The claims decide whether data stays, so that a stack may change its mind."""
    program = make_cluster(storage={"retain": retain})
    found = program.one("StorageClass").inputs
    assert found["provisioner"] == "pd.csi.storage.gke.io"
    assert found["volumeBindingMode"] == "WaitForFirstConsumer"
    assert found["allowVolumeExpansion"] is True
    assert found["reclaimPolicy"] == "Delete"
    assert found["parameters"] == {"type": "pd-ssd"}
    (claim,) = program.one("StatefulSet", "etcd").spec["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == found["metadata"]["name"] == "etcd-ssd"


@pytest.mark.parametrize(
    "storage", [{"className": "premium-rwo"}, {"kind": "memory"}, {"kind": "ephemeral"}]
)
def test_no_class_is_made_that_nothing_would_use(storage: dict[str, Any]) -> None:
    program = make_cluster(storage=storage)
    assert not program.all("StorageClass")
    preflight = program.one(f"{DYNAMIC}Preflight").inputs
    assert preflight["own_storage_class"] is False
    assert preflight["storage_class"] == storage.get("className", "")


def test_the_preflight_does_not_look_for_a_class_that_comes_after_it() -> None:
    assert make_cluster().one(f"{DYNAMIC}Preflight").inputs["own_storage_class"] is True


def test_members_go_before_pods_of_no_class() -> None:
    program = make_cluster()
    found = program.one("PriorityClass").inputs
    assert 0 < found["value"] < 1_000_000_000
    for workload in program.all("StatefulSet"):
        assert workload.pod["priorityClassName"] == found["metadata"]["name"]


def test_objects_of_no_namespace_name_none() -> None:
    program = make_cluster()
    for kind in ("StorageClass", "PriorityClass"):
        assert "namespace" not in program.one(kind).inputs["metadata"]


def test_elsewhere_members_go_where_the_cluster_puts_them(declare: Declare) -> None:
    program = declare()
    for workload in program.all("StatefulSet"):
        for key in ("nodeSelector", "tolerations", "priorityClassName"):
            assert key not in workload.pod
    assert not program.all("StorageClass")
    assert not program.all("PriorityClass")
    assert not google(program)
    assert not program.all(f"{DYNAMIC}Requirements")


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
    program = make_cluster(preview=preview, gke={"deletionProtection": True})
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
    assert make_cluster(gke=gke).one(f"{DYNAMIC}Requirements").inputs == before


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
