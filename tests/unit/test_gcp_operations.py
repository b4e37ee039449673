"""The stand-in's cloud: what is made, changed, gone, protected, and what goes wrong on demand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.plugins.gcp import faults
from lab.plugins.gcp.cloud import Cloud
from lab.plugins.gcp.errors import CloudError
from lab.plugins.gcp.operations import Made, Project
from lab.plugins.unknown import UNKNOWN
from tests.support.gcp_inputs import (
    AROUND,
    CLUSTER_ID,
    EMAIL,
    GOOD,
    NETWORK_ID,
    POOL_ID,
    PROJECT,
    SUBNETWORK_ID,
    changed,
    kind,
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(Cloud(tmp_path / "cloud"), AROUND)


@pytest.fixture
def full(project: Project) -> Project:
    """A project with one of everything."""
    for name in GOOD:
        project.create(kind(name), GOOD[name])
    return project


def refused(project: Project, name: str, inputs: Any = None) -> str:
    with pytest.raises(CloudError) as raised:
        project.create(kind(name), GOOD[name] if inputs is None else inputs)
    return str(raised.value)


def delete(project: Project, name: str, id_: str, **state: Any) -> None:
    made = project.read(kind(name), id_)
    assert made
    project.delete(kind(name), id_, {**made[1], **state})


# ---------------------------------------------------------------- what is made


def test_a_cluster_answers_with_the_labs_address_and_certificate(full: Project) -> None:
    found = full.read(kind("Cluster"), CLUSTER_ID)
    assert found
    inputs, outputs = found
    assert inputs == GOOD["Cluster"]
    assert outputs["endpoint"] == AROUND.server
    assert outputs["masterAuth"]["clusterCaCertificate"] == AROUND.certificate_authority
    assert outputs["masterAuth"]["clientCertificateConfig"] == {"issueClientCertificate": False}
    endpoints = outputs["controlPlaneEndpointsConfig"]
    assert endpoints == {
        "dnsEndpointConfig": {"allowExternalTraffic": True, "endpoint": AROUND.server}
    }
    assert outputs["selfLink"].endswith(CLUSTER_ID)
    assert outputs["effectiveLabels"] == {"team": "storage", "goog-pulumi-provisioned": "true"}


@pytest.mark.parametrize(
    ("name", "output", "value"),
    [
        ("Account", "email", EMAIL),
        ("Account", "member", f"serviceAccount:{EMAIL}"),
        ("Repository", "registryUri", "localhost:5000"),
        ("Network", "selfLink", f"https://www.googleapis.com/compute/v1/{NETWORK_ID}"),
        ("NodePool", "location", "us-central1"),
    ],
)
def test_the_other_outputs_that_a_program_needs(
    project: Project, name: str, output: str, value: str
) -> None:
    for other in GOOD:
        made = project.create(kind(other), GOOD[other])
        if other == name:
            assert made.outputs[output] == value


def test_a_preview_knows_the_inputs_and_nothing_else(project: Project) -> None:
    foreseen = project.foresee_create(kind("Cluster"), GOOD["Cluster"])
    assert foreseen["name"] == "etcd-prod"
    assert foreseen["endpoint"] == UNKNOWN
    assert foreseen["controlPlaneEndpointsConfig"]["dnsEndpointConfig"] == {
        "allowExternalTraffic": True,
        "endpoint": UNKNOWN,
    }
    assert project.cloud.resources() == {}


def test_a_preview_of_an_update_keeps_what_is_computed(full: Project) -> None:
    larger = changed("NodePool", "nodeCount", 2)
    foreseen = full.foresee_update(kind("NodePool"), POOL_ID, larger)
    assert foreseen["nodeCount"] == 2
    assert UNKNOWN not in json.dumps(foreseen)
    assert full.cloud.resources()[POOL_ID]["inputs"]["nodeCount"] == 1


def test_the_cloud_outlives_the_plugins_process(full: Project) -> None:
    another = Project(Cloud(full.cloud.folder), AROUND)
    assert another.read(kind("Cluster"), CLUSTER_ID) == full.read(kind("Cluster"), CLUSTER_ID)


def test_without_a_project_nothing_is_made(project: Project) -> None:
    said = refused(project, "Account", changed("Account", "project", None))
    assert said == "project: required field is not set"


# ---------------------------------------------------------------- what needs what


def test_a_name_that_is_taken_is_refused_in_googles_words(full: Project) -> None:
    assert refused(full, "Cluster") == (
        f"googleapi: Error 409: Already exists: {CLUSTER_ID}., alreadyExists"
    )
    assert refused(full, "Account") == (
        "Error creating service account: googleapi: Error 409: Service account etcd-prod-nodes "
        f"already exists within project projects/{PROJECT}., alreadyExists"
    )


def test_a_right_that_is_granted_already_is_no_error(full: Project) -> None:
    assert full.create(kind("IAMMember"), GOOD["IAMMember"]).id


@pytest.mark.parametrize(
    ("name", "parent"),
    [
        ("Subnetwork", NETWORK_ID),
        ("NodePool", CLUSTER_ID),
        ("Cluster", NETWORK_ID),
        ("IAMMember", f"projects/{PROJECT}/serviceAccounts/{EMAIL}"),
        (
            "RepositoryIamMember",
            f"projects/{PROJECT}/locations/us-central1/repositories/etcd-prod",
        ),
    ],
)
def test_nothing_is_made_before_what_it_needs(project: Project, name: str, parent: str) -> None:
    assert f"Error 404: Not found: {parent}., notFound" in refused(project, name)


def test_a_network_cannot_go_before_what_is_in_it(full: Project) -> None:
    for name, id_ in (("Network", NETWORK_ID), ("Subnetwork", SUBNETWORK_ID)):
        with pytest.raises(CloudError, match="resourceInUseByAnotherResource"):
            delete(full, name, id_)


def test_a_cluster_takes_its_pools_along(full: Project) -> None:
    delete(full, "Cluster", CLUSTER_ID)
    assert POOL_ID not in full.cloud.resources()


def test_everything_can_be_deleted_in_the_opposite_order(full: Project) -> None:
    for name in reversed(GOOD):
        delete(full, name, kind(name).identify(GOOD[name], AROUND))
    assert full.cloud.resources() == {}


def test_what_is_gone_reads_as_gone_and_deletes_without_an_error(full: Project) -> None:
    found = full.read(kind("Cluster"), CLUSTER_ID)
    assert found
    delete(full, "Cluster", CLUSTER_ID)
    assert full.read(kind("Cluster"), CLUSTER_ID) is None
    full.delete(kind("Cluster"), CLUSTER_ID, found[1])
    with pytest.raises(CloudError, match="Error 404: Not found"):
        full.update(kind("Cluster"), CLUSTER_ID, GOOD["Cluster"])


def test_what_an_outsider_changes_is_read(full: Project) -> None:
    with full.cloud.changing() as there:
        there[POOL_ID]["inputs"]["nodeCount"] = 5
    found = full.read(kind("NodePool"), POOL_ID)
    assert found
    assert (found[0]["nodeCount"], found[1]["nodeCount"]) == (5, 5)


# ---------------------------------------------------------------- protection


@pytest.mark.parametrize(
    ("state", "says"),
    [
        pytest.param(
            {"deletionProtection": True},
            "Cannot destroy cluster because deletion_protection is set to true. "
            "Set it to false to proceed with cluster deletion.",
            id="protected",
        ),
        pytest.param(
            {"deletionProtection": None}, "deletion_protection is set to true", id="unset"
        ),
        pytest.param(
            {"deletionPolicy": "PREVENT"}, 'setting deletion_policy="DELETE"', id="policy"
        ),
    ],
)
def test_a_protected_cluster_is_not_deleted(
    full: Project, state: dict[str, Any], says: str
) -> None:
    before = full.cloud.resources()
    with pytest.raises(CloudError) as raised:
        delete(full, "Cluster", CLUSTER_ID, **state)
    assert says in str(raised.value)
    assert full.cloud.resources() == before


def test_protection_is_lifted_by_an_update_of_the_state_not_of_the_cloud(full: Project) -> None:
    full.update(kind("Cluster"), CLUSTER_ID, changed("Cluster", "deletionProtection", True))
    with pytest.raises(CloudError, match="Set it to false"):
        delete(full, "Cluster", CLUSTER_ID)
    full.update(kind("Cluster"), CLUSTER_ID, GOOD["Cluster"])
    delete(full, "Cluster", CLUSTER_ID)


def test_what_is_abandoned_stays(full: Project) -> None:
    delete(full, "Cluster", CLUSTER_ID, deletionPolicy="ABANDON")
    assert CLUSTER_ID in full.cloud.resources()


# ---------------------------------------------------------------- faults

NOTHING_MADE = {
    "quota": 'Insufficient regional quota to satisfy request: resource "CPUS"',
    "permission": f'Required "container.clusters.create" permission(s) for "projects/{PROJECT}"',
    "disabled": "Kubernetes Engine API has not been used in project my-project before",
    "taken": "Error 409: Already exists",
}


@pytest.fixture
def ready(project: Project) -> Project:
    """A project in which a cluster can be made."""
    for name in ("Network", "Subnetwork"):
        project.create(kind(name), GOOD[name])
    return project


@pytest.mark.parametrize("fault", NOTHING_MADE)
def test_a_refused_request_makes_nothing_and_the_next_one_succeeds(
    ready: Project, fault: str
) -> None:
    faults.inject(ready.cloud, "Cluster", "create", fault)
    assert NOTHING_MADE[fault] in refused(ready, "Cluster")
    assert CLUSTER_ID not in ready.cloud.resources()
    assert ready.create(kind("Cluster"), GOOD["Cluster"]) == Made(
        CLUSTER_ID, ready.foresee_update(kind("Cluster"), CLUSTER_ID, GOOD["Cluster"])
    )


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            "timeout",
            "Error waiting for creating GKE cluster: timeout while waiting for state to become "
            "'DONE' (last state: 'RUNNING', timeout: 40m0s)",
        ),
        ("partial", "cluster may be unhealthy"),
    ],
)
def test_a_request_that_was_begun_leaves_a_cluster_of_which_the_id_is_known(
    ready: Project, fault: str, says: str
) -> None:
    faults.inject(ready.cloud, "Cluster", "create", fault)
    made = ready.create(kind("Cluster"), GOOD["Cluster"])
    assert made.id == CLUSTER_ID
    assert says in made.problem
    assert CLUSTER_ID in ready.cloud.resources()
    assert ready.update(kind("Cluster"), CLUSTER_ID, GOOD["Cluster"]).problem == ""


def test_an_answer_that_is_lost_leaves_a_name_that_is_taken(ready: Project) -> None:
    faults.inject(ready.cloud, "Cluster", "create", "lost")
    assert "connection reset by peer" in refused(ready, "Cluster")
    assert "Already exists" in refused(ready, "Cluster")
    found = ready.read(kind("Cluster"), CLUSTER_ID)
    assert found, "which an import reads"
    assert found[0] == GOOD["Cluster"]


@pytest.mark.parametrize("fault", ["quota", "permission"])
def test_a_refused_update_changes_nothing(full: Project, fault: str) -> None:
    faults.inject(full.cloud, "NodePool", "update", fault)
    with pytest.raises(CloudError, match="Error 403"):
        full.update(kind("NodePool"), POOL_ID, changed("NodePool", "nodeCount", 2))
    assert full.cloud.resources()[POOL_ID]["inputs"]["nodeCount"] == 1


def test_a_refused_deletion_deletes_nothing(full: Project) -> None:
    faults.inject(full.cloud, "Cluster", "delete", "permission")
    with pytest.raises(CloudError, match=r"container\.clusters\.delete"):
        delete(full, "Cluster", CLUSTER_ID)
    delete(full, "Cluster", CLUSTER_ID)


def test_a_fault_hits_its_own_type_and_operation_and_as_often_as_it_says(ready: Project) -> None:
    faults.inject(ready.cloud, "Cluster", "create", "quota", times=2)
    ready.create(kind("Account"), GOOD["Account"])
    for _ in range(2):
        assert "quota" in refused(ready, "Cluster")
    ready.create(kind("Cluster"), GOOD["Cluster"])


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("NodePool", "error creating NodePool: googleapi: Error 403: "),
        ("Repository", "Error creating Repository: googleapi: Error 403: "),
        ("Account", "Error creating service account: googleapi: Error 403: "),
        ("IAMMember", f'Error applying IAM policy for project "{PROJECT}": '),
    ],
)
def test_errors_are_worded_as_the_provider_words_them(
    project: Project, name: str, start: str
) -> None:
    faults.inject(project.cloud, name, "create", "permission")
    assert refused(project, name).startswith(start)


def test_every_api_has_its_own_name_when_it_is_not_enabled(project: Project) -> None:
    titles = {
        "Cluster": "Kubernetes Engine API",
        "Repository": "Artifact Registry API",
        "Account": "Identity and Access Management (IAM) API",
        "IAMMember": "Cloud Resource Manager API",
        "Network": "Compute Engine API",
    }
    for name, title in titles.items():
        faults.inject(project.cloud, name, "create", "disabled")
        assert f"{title} has not been used" in refused(project, name)
