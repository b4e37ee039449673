"""Inputs of Google's resources that are right, as the program declares them, to be made wrong."""

from __future__ import annotations

import copy
from typing import Any

from lab.plugins.gcp.resource import Inputs, ResourceType, Surroundings
from lab.plugins.gcp.types import TYPES

PROJECT = "my-project"
NETWORK_ID = f"projects/{PROJECT}/global/networks/etcd-prod"
SUBNETWORK_ID = f"projects/{PROJECT}/regions/us-central1/subnetworks/etcd-prod"
CLUSTER_ID = f"projects/{PROJECT}/locations/us-central1/clusters/etcd-prod"
POOL_ID = f"{CLUSTER_ID}/nodePools/etcd"
EMAIL = f"etcd-prod-nodes@{PROJECT}.iam.gserviceaccount.com"
KEY = f"projects/{PROJECT}/locations/us-central1/keyRings/etcd/cryptoKeys/etcd"

AROUND = Surroundings(
    project="",
    region="us-central1",
    server="10.201.0.1:6443",
    certificate_authority="Q0E=",
    registry="localhost:5000",
)

_STANDARD: dict[str, Any] = {
    "project": PROJECT,
    "location": "us-central1",
    "name": "etcd-prod",
    "description": "etcd, by Pulumi",
    "network": NETWORK_ID,
    "subnetwork": SUBNETWORK_ID,
    "networkingMode": "VPC_NATIVE",
    "ipAllocationPolicy": {
        "clusterSecondaryRangeName": "pods",
        "servicesSecondaryRangeName": "services",
    },
    "privateClusterConfig": {"enablePrivateNodes": True, "enablePrivateEndpoint": True},
    "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}},
    "masterAuthorizedNetworksConfig": {
        "cidrBlocks": [{"cidrBlock": "10.0.0.0/8", "displayName": "office"}],
        "gcpPublicCidrsAccessEnabled": False,
        "privateEndpointEnforcementEnabled": True,
    },
    "masterAuth": {"clientCertificateConfig": {"issueClientCertificate": False}},
    "enableLegacyAbac": False,
    "rbacBindingConfig": {"enableInsecureBindingSystemAuthenticated": False},
    "anonymousAuthenticationConfig": {"mode": "LIMITED"},
    "serviceExternalIpsConfig": {"enabled": False},
    "releaseChannel": {"channel": "REGULAR"},
    "maintenancePolicy": {"dailyMaintenanceWindow": {"startTime": "03:00"}},
    "databaseEncryption": {"state": "ENCRYPTED", "keyName": KEY},
    "securityPostureConfig": {"mode": "BASIC"},
    "loggingConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]},
    "monitoringConfig": {
        "enableComponents": ["SYSTEM_COMPONENTS"],
        "managedPrometheus": {"enabled": True},
    },
    "costManagementConfig": {"enabled": True},
    "resourceLabels": {"team": "storage"},
    "deletionProtection": False,
    "removeDefaultNodePool": True,
    "initialNodeCount": 1,
    "datapathProvider": "ADVANCED_DATAPATH",
    "enableIntranodeVisibility": True,
    "enableShieldedNodes": True,
    "workloadIdentityConfig": {"workloadPool": f"{PROJECT}.svc.id.goog"},
    "nodePoolDefaults": {"nodeConfigDefaults": {"insecureKubeletReadonlyPortEnabled": "FALSE"}},
    "addonsConfig": {"gcePersistentDiskCsiDriverConfig": {"enabled": True}},
}

_POOL: dict[str, Any] = {
    "project": PROJECT,
    "location": "us-central1",
    "cluster": "etcd-prod",
    "name": "etcd",
    "nodeCount": 1,
    "management": {"autoRepair": True, "autoUpgrade": True},
    "upgradeSettings": {"strategy": "SURGE", "maxSurge": 1, "maxUnavailable": 0},
    "networkConfig": {"enablePrivateNodes": True},
    "nodeConfig": {
        "machineType": "e2-standard-2",
        "imageType": "COS_CONTAINERD",
        "diskType": "pd-balanced",
        "diskSizeGb": 50,
        "bootDiskKmsKey": KEY,
        "serviceAccount": EMAIL,
        "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
        "metadata": {"disable-legacy-endpoints": "true"},
        "workloadMetadataConfig": {"mode": "GKE_METADATA"},
        "shieldedInstanceConfig": {"enableIntegrityMonitoring": True, "enableSecureBoot": True},
        "labels": {"etcd.pulumi.com/dedicated": "true"},
        "taints": [{"key": "dedicated", "value": "etcd", "effect": "NO_SCHEDULE"}],
        "resourceLabels": {"team": "storage"},
    },
}

GOOD: dict[str, dict[str, Any]] = {
    "Network": {
        "project": PROJECT,
        "name": "etcd-prod",
        "autoCreateSubnetworks": False,
        "routingMode": "REGIONAL",
    },
    "Subnetwork": {
        "project": PROJECT,
        "region": "us-central1",
        "name": "etcd-prod",
        "network": NETWORK_ID,
        "ipCidrRange": "10.0.0.0/24",
        "secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "10.4.0.0/18"}],
        "privateIpGoogleAccess": True,
        "logConfig": {
            "aggregationInterval": "INTERVAL_5_SEC",
            "flowSampling": 0.5,
            "metadata": "INCLUDE_ALL_METADATA",
        },
    },
    "Account": {"project": PROJECT, "accountId": "etcd-prod-nodes", "displayName": "Nodes"},
    "IAMMember": {
        "project": PROJECT,
        "role": "roles/container.defaultNodeServiceAccount",
        "member": f"serviceAccount:{EMAIL}",
    },
    "Repository": {
        "project": PROJECT,
        "location": "us-central1",
        "repositoryId": "etcd-prod",
        "description": "Images",
        "format": "DOCKER",
        "dockerConfig": {"immutableTags": True},
        "cleanupPolicies": [
            {"id": "keep", "action": "KEEP", "mostRecentVersions": {"keepCount": 10}},
            {
                "id": "delete",
                "action": "DELETE",
                "condition": {"tagState": "UNTAGGED", "olderThan": "2592000s"},
            },
        ],
        "vulnerabilityScanningConfig": {"enablementConfig": "INHERITED"},
        "kmsKeyName": KEY,
        "labels": {"team": "storage"},
    },
    "RepositoryIamMember": {
        "project": PROJECT,
        "location": "us-central1",
        "repository": "etcd-prod",
        "role": "roles/artifactregistry.reader",
        "member": f"serviceAccount:{EMAIL}",
    },
    "Cluster": _STANDARD,
    "NodePool": _POOL,
}
"""By type, in an order in which they can be made."""


def kind(name: str) -> ResourceType:
    """The type of that name."""
    return next(found for found in TYPES.values() if found.name == name)


def changed(name: str, path: str, value: Any) -> dict[str, Any]:
    """The good inputs with another value at `a.b.c`; None takes it away."""
    inputs: dict[str, Any] = copy.deepcopy(GOOD[name])
    *parents, last = path.split(".")
    node: Any = inputs
    for parent in parents:
        node = node[int(parent)] if parent.isdigit() else node.setdefault(parent, {})
    if value is None:
        del node[last]
    else:
        node[last] = value
    return inputs


def autopilot() -> Inputs:
    """An Autopilot cluster, without what Autopilot refuses."""
    refused = (
        "removeDefaultNodePool",
        "initialNodeCount",
        "datapathProvider",
        "enableIntranodeVisibility",
        "enableShieldedNodes",
        "workloadIdentityConfig",
        "nodePoolDefaults",
        "addonsConfig",
    )
    return {
        **{key: value for key, value in GOOD["Cluster"].items() if key not in refused},
        "enableAutopilot": True,
        "clusterAutoscaling": {
            "autoProvisioningDefaults": {
                "serviceAccount": EMAIL,
                "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
                "bootDiskKmsKey": KEY,
            }
        },
        "nodePoolAutoConfig": {
            "nodeKubeletConfig": {"insecureKubeletReadonlyPortEnabled": "FALSE"}
        },
    }
