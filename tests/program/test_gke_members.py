"""The program on a cluster that it makes: the image's registry, and where members go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.program.conftest import Declare, make_cluster
from tests.support.program import DYNAMIC, EMAIL, REGISTRY_URI, Program

POOL = "gcp:container/nodePool:NodePool"
REPOSITORY = "gcp:artifactregistry/repository:Repository"
READER = "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember"

# ---------------------------------------------------------------- registry and image


def test_the_image_goes_to_the_registry_of_the_cluster_and_pods_pull_it_by_digest() -> None:
    program = make_cluster()
    image = program.one("docker:index/image:Image")
    assert image.inputs["imageName"].startswith(f"{REGISTRY_URI}/etcd:v3.6.14-")
    assert program.one(REPOSITORY).urn in program.waits_for(image)
    for workload in program.all("StatefulSet"):
        assert "@sha256:" in workload.container["image"]


def test_a_tag_that_cannot_move_tells_what_is_in_the_image(tmp_path: Any) -> None:
    def tag(**image: Any) -> str:
        (built,) = make_cluster(image=image).all("docker:index/image:Image")
        return built.inputs["imageName"].rpartition(":")[2]

    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("**/__pycache__\n")
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
        assert {**node["labels"], "disk": "ssd"}.items() <= workload.pod["nodeSelector"].items()
        own, theirs, *_ = workload.pod["tolerations"]
        assert own == {"key": taint["key"], "operator": "Exists", "effect": "NoSchedule"}
        assert theirs["key"] == "a"


def test_members_are_let_onto_arm_nodes() -> None:
    """GKE taints these by itself, and no pod tolerates it that does not say so."""
    program = make_cluster(gke={"machineType": "t2a-standard-2"}, image={"platform": "linux/arm64"})
    arm = {
        "key": "kubernetes.io/arch",
        "operator": "Equal",
        "value": "arm64",
        "effect": "NoSchedule",
    }
    for workload in program.all("StatefulSet"):
        assert arm in workload.pod["tolerations"]
    for workload in make_cluster().all("StatefulSet"):
        assert arm not in workload.pod["tolerations"], "a changed template restarts all members"


def test_no_node_is_looked_for_in_a_cluster_whose_nodes_are_made_as_the_image_is() -> None:
    assert make_cluster().one(f"{DYNAMIC}Preflight").inputs["arch"] == ""


def test_googles_own_pods_find_a_node_in_a_cluster_with_one_pool() -> None:
    """They tolerate this taint alone; without DNS and the API server's tunnel nothing works."""
    (taint,) = make_cluster().one(POOL).inputs["nodeConfig"]["taints"]
    assert taint["key"] == "components.gke.io/gke-managed-components"


def test_autopilot_is_not_asked_for_nodes_that_it_has_not() -> None:
    pod = unit(make_cluster(gke={"autopilot": True}))
    assert all(label.startswith("kubernetes.io/") for label in pod["nodeSelector"])
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
    told = program.one(f"{DYNAMIC}Preflight").inputs["priority_class"]
    assert told == found["metadata"]["name"], "a quota may count the pods of one class only"


def test_objects_of_no_namespace_name_none() -> None:
    program = make_cluster()
    for kind in ("StorageClass", "PriorityClass"):
        assert "namespace" not in program.one(kind).inputs["metadata"]


def test_elsewhere_members_go_where_the_cluster_puts_them(declare: Declare) -> None:
    program = declare()
    for workload in program.all("StatefulSet"):
        assert "priorityClassName" not in workload.pod
        for toleration in workload.pod.get("tolerations", []):
            assert toleration["key"].startswith("node.kubernetes.io/"), "a node's own state"
        assert all(label.startswith("kubernetes.io/") for label in workload.pod["nodeSelector"])
    assert not program.all("StorageClass")
    assert not program.all("PriorityClass")
    assert not [r.urn for r in program.resources if r.type.startswith("gcp:")]
    assert not program.all(f"{DYNAMIC}Requirements")
