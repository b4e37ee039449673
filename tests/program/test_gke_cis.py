"""The CIS GKE benchmark (1.9), item by item, against what the program declares.

docs/gke.md has the same items as a table; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.program.conftest import KMS_KEY, make_cluster
from tests.support.program import EMAIL, Declared, Program

Check = Callable[[Program], object]

ROOT = Path(__file__).resolve().parents[2]


def cluster(program: Program) -> Any:
    return program.one("gcp:container/cluster:Cluster").inputs


def pool(program: Program) -> Any:
    return program.one("gcp:container/nodePool:NodePool").inputs


def node(program: Program) -> Any:
    return pool(program)["nodeConfig"]


def repository(program: Program) -> Any:
    return program.one("gcp:artifactregistry/repository:Repository").inputs


def subnetwork(program: Program) -> Any:
    return program.one("gcp:compute/subnetwork:Subnetwork").inputs


def pods(program: Program) -> list[Any]:
    return [workload.pod for workload in program.all("StatefulSet")]


def tokens_only_where_needed(program: Program) -> bool:
    """Units may ask for their own StatefulSet; seeds and discovery have no token at all."""
    mounted = {
        workload.inputs["metadata"]["name"]: workload.pod["automountServiceAccountToken"]
        for workload in program.all("StatefulSet")
    }
    return mounted == {"etcd": True, "etcd-seed": False, "etcd-discovery": False}


def restricted(program: Program) -> bool:
    """What the Pod Security Standard `restricted` asks for."""
    return all(
        pod["securityContext"]["runAsNonRoot"]
        and not container["securityContext"]["allowPrivilegeEscalation"]
        and container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        for pod in pods(program)
        for container in pod["containers"]
    )


def reached_by_rules_alone(policy: Declared, workload: Declared) -> bool:
    """Whether the NetworkPolicy is about the pods of the workload."""
    selected = policy.spec["podSelector"]["matchLabels"].items()
    labels = workload.spec["template"]["metadata"]["labels"].items()
    return "Ingress" in policy.spec["policyTypes"] and selected <= labels


def secrets_are_files(program: Program) -> bool:
    """No pod has one in its environment; the seeds' is mounted."""
    in_environment = [
        variable
        for pod in pods(program)
        for container in pod["containers"]
        for variable in container["env"]
        if "secretKeyRef" in variable.get("valueFrom", {})
    ]
    mounted = [v for v in program.one("StatefulSet", "etcd-seed").pod["volumes"] if "secret" in v]
    return not in_environment and bool(mounted)


def roles(program: Program) -> list[str]:
    kinds = (
        "gcp:projects/iAMMember:IAMMember",
        "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
    )
    return [program.one(kind).inputs["role"] for kind in kinds]


def private(program: Program) -> bool:
    """No public address, and nobody but the nodes by a private one."""
    networks = cluster(program)["masterAuthorizedNetworksConfig"]
    return (
        cluster(program)["privateClusterConfig"]["enablePrivateEndpoint"] is True
        and networks["cidrBlocks"] == []
        and networks["privateEndpointEnforcementEnabled"] is True
        and networks["gcpPublicCidrsAccessEnabled"] is False
    )


DEFAULT: dict[str, Check] = {
    "4.1.5": tokens_only_where_needed,
    "4.2.1": restricted,
    "4.3.2": lambda p: all(
        any(reached_by_rules_alone(policy, workload) for policy in p.all("NetworkPolicy"))
        for workload in p.all("StatefulSet")
    ),
    "4.4.1": secrets_are_files,
    "4.6.2": lambda p: all(
        pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"} for pod in pods(p)
    ),
    "4.6.4": lambda p: all(
        w.inputs["metadata"]["namespace"] == "etcd" for w in p.all("StatefulSet")
    ),
    "5.1.1": lambda p: (
        repository(p)["vulnerabilityScanningConfig"] == {"enablementConfig": "INHERITED"}
    ),
    "5.1.3": lambda p: "roles/artifactregistry.reader" in roles(p),
    "5.2.1": lambda p: (
        node(p)["serviceAccount"] == EMAIL
        and roles(p)[0] == "roles/container.defaultNodeServiceAccount"
    ),
    "5.2.2": lambda p: (
        cluster(p)["workloadIdentityConfig"] == {"workloadPool": "my-project.svc.id.goog"}
    ),
    "5.4.1": lambda p: node(p)["workloadMetadataConfig"] == {"mode": "GKE_METADATA"},
    "5.5.1": lambda p: node(p)["imageType"] == "COS_CONTAINERD",
    "5.5.2": lambda p: pool(p)["management"]["autoRepair"],
    "5.5.3": lambda p: pool(p)["management"]["autoUpgrade"],
    "5.5.4": lambda p: cluster(p)["releaseChannel"] == {"channel": "REGULAR"},
    "5.5.5": lambda p: cluster(p)["enableShieldedNodes"],
    "5.5.6": lambda p: node(p)["shieldedInstanceConfig"]["enableIntegrityMonitoring"],
    "5.5.7": lambda p: node(p)["shieldedInstanceConfig"]["enableSecureBoot"],
    "5.6.1": lambda p: (
        cluster(p)["enableIntranodeVisibility"] and subnetwork(p)["logConfig"]["flowSampling"] > 0
    ),
    "5.6.2": lambda p: (
        cluster(p)["networkingMode"] == "VPC_NATIVE" and cluster(p)["ipAllocationPolicy"]
    ),
    "5.6.3": lambda p: "masterAuthorizedNetworksConfig" in cluster(p),
    "5.6.4": private,
    "5.6.5": lambda p: (
        cluster(p)["privateClusterConfig"]["enablePrivateNodes"]
        and pool(p)["networkConfig"]["enablePrivateNodes"]
    ),
    "5.6.7": lambda p: cluster(p)["datapathProvider"] == "ADVANCED_DATAPATH",
    "5.7.1": lambda p: (
        set(cluster(p)["loggingConfig"]["enableComponents"]) == {"SYSTEM_COMPONENTS", "WORKLOADS"}
        and "SYSTEM_COMPONENTS" in cluster(p)["monitoringConfig"]["enableComponents"]
    ),
    "5.8.1": lambda p: (
        cluster(p)["masterAuth"]["clientCertificateConfig"] == {"issueClientCertificate": False}
    ),
    "5.8.3": lambda p: cluster(p)["enableLegacyAbac"] is False,
    "5.10.4": lambda p: cluster(p)["securityPostureConfig"] == {"mode": "BASIC"},
}
"""Item -> whether the defaults have it."""

WITH_KEY: dict[str, Check] = {
    "5.3.1": lambda p: (
        cluster(p)["databaseEncryption"] == {"state": "ENCRYPTED", "keyName": KMS_KEY}
    ),
    "5.9.1": lambda p: (
        p.one("StorageClass").inputs["parameters"]["disk-encryption-kms-key"] == KMS_KEY
        and repository(p)["kmsKeyName"] == KMS_KEY
    ),
    "5.9.2": lambda p: node(p)["bootDiskKmsKey"] == KMS_KEY,
}
"""Item -> whether `gke.kmsKey` brings it."""


@pytest.fixture(scope="module")
def defaults() -> Program:
    return make_cluster()


@pytest.fixture(scope="module")
def with_key() -> Program:
    return make_cluster(gke={"kmsKey": KMS_KEY})


@pytest.fixture(scope="module")
def autopilot() -> Program:
    return make_cluster(gke={"autopilot": True})


@pytest.mark.parametrize("item", DEFAULT)
def test_the_defaults_have_the_item(item: str, defaults: Program) -> None:
    assert DEFAULT[item](defaults)


@pytest.mark.parametrize("item", WITH_KEY)
def test_a_key_of_the_project_brings_the_item(item: str, with_key: Program) -> None:
    assert WITH_KEY[item](with_key)


def test_without_a_key_nothing_claims_to_have_one(defaults: Program) -> None:
    declared = str([r.inputs for r in defaults.resources])
    for word in ("kmsKeyName", "databaseEncryption", "bootDiskKmsKey", "kms-key"):
        assert word not in declared


def test_the_table_of_the_docs_has_these_items_and_no_others() -> None:
    text = (ROOT / "docs" / "gke.md").read_text()
    told = re.findall(r"^\| (\d+\.\d+\.\d+) \|", text, re.M)
    assert sorted(told) == sorted([*DEFAULT, *WITH_KEY])


AUTOPILOT_HAS = ("5.2.2", "5.4.1", "5.5.1", "5.5.2", "5.5.3", "5.5.5", "5.5.6", "5.5.7", "5.6.7")
"""Built into every Autopilot cluster (Google: Autopilot, security capabilities)."""


@pytest.mark.parametrize("item", [i for i in DEFAULT if i not in AUTOPILOT_HAS])
def test_autopilot_has_what_it_does_not_bring_by_itself(item: str, autopilot: Program) -> None:
    account = cluster(autopilot)["clusterAutoscaling"]["autoProvisioningDefaults"]["serviceAccount"]
    special: dict[str, Check] = {
        "5.2.1": lambda _: account == EMAIL,
        "5.6.1": lambda p: subnetwork(p)["logConfig"]["flowSampling"] > 0,
        "5.6.5": lambda p: cluster(p)["privateClusterConfig"]["enablePrivateNodes"],
    }
    assert special.get(item, DEFAULT[item])(autopilot)
