"""A GKE cluster for etcd alone: control plane, node pool, and the nodes' own service account.

Numbers at settings are items of the CIS GKE benchmark 1.9; docs/gke.md has them as a table.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pulumi

from components.google_resource import GoogleResource
from components.names import NODE_LABEL, TAINT_KEY
from components.network import Network
from components.settings import GkeSettings

TOKEN = "etcd:gke:Gke"

POOL = "etcd"
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
"""What an account may do is decided by its roles; scopes are the older, coarser way."""


class Gke(pulumi.ComponentResource):
    """The cluster and its nodes.

    **Pulumi Type:** ``etcd:gke:Gke``
    Children: ``gcp:serviceaccount/account:Account``, ``gcp:projects/iAMMember:IAMMember``,
    ``gcp:container/cluster:Cluster``, and unless it is an Autopilot cluster
    ``gcp:container/nodePool:NodePool``.
    Deliberately absent: binary authorization (a policy of the project, not of a cluster), node
    autoscaling (members come by `units.count`), and everything that grants rights to people.
    """

    cluster: GoogleResource
    account: pulumi.Output[str]
    """E-mail address of the nodes' service account."""
    nodes: pulumi.Resource
    """What must be there before a pod can run, and must outlive it."""

    def __init__(
        self,
        name: str,
        gke: GkeSettings,
        network: Network,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # A replacement of either would end all members at once.
        guarded = pulumi.ResourceOptions(parent=self, protect=gke.deletion_protection)
        self.account, role = _node_account(name, gke, child)
        self.cluster = GoogleResource(
            "gcp:container/cluster:Cluster",
            name,
            {
                **_cluster(gke, network),
                **(_autopilot(gke, self.account) if gke.autopilot else _standard(gke)),
            },
            # Nodes that may not write logs would be made, and found to be silent later.
            pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(depends_on=[role])),
            outputs=["endpoint"],
        )
        self.nodes = self.cluster
        if not gke.autopilot:
            self.nodes = GoogleResource(
                "gcp:container/nodePool:NodePool",
                name,
                {
                    "project": gke.project,
                    "location": gke.location,
                    "cluster": self.cluster.output("name"),
                    **_pool(gke, self.account),
                },
                guarded,
            )
        self.register_outputs({"account": self.account})


def _node_account(
    name: str, gke: GkeSettings, child: pulumi.ResourceOptions
) -> tuple[pulumi.Output[str], pulumi.Resource]:
    """The account that the nodes act under: its e-mail address, and what gives it its role."""
    account = GoogleResource(
        "gcp:serviceaccount/account:Account",
        name,
        {
            "project": gke.project,
            "accountId": account_id(gke.cluster_name or ""),
            "displayName": f"Nodes of {gke.cluster_name}",
        },
        child,
        outputs=["email"],
    )
    email = account.output("email")
    role = GoogleResource(
        "gcp:projects/iAMMember:IAMMember",
        name,
        {
            "project": gke.project,
            # Logs, metrics and metadata of nodes: what Google names as the least (CIS 5.2.1).
            "role": "roles/container.defaultNodeServiceAccount",
            "member": pulumi.Output.concat("serviceAccount:", email),
        },
        child,
    )
    return email, role


def account_id(cluster_name: str) -> str:
    """The service account's ID: 6 to 30 characters, and another one for each cluster."""
    plain = f"{cluster_name}-nodes"
    if len(plain) <= 30:
        return plain
    digest = hashlib.sha256(cluster_name.encode()).hexdigest()[:6]
    return f"{cluster_name[:17].rstrip('-')}-{digest}-nodes"


def _cluster(gke: GkeSettings, network: Network) -> dict[str, Any]:
    """What both modes have."""
    return {
        "project": gke.project,
        # A region: three control planes, nodes in three zones. A zone: one of each.
        "location": gke.location,
        "name": gke.cluster_name,
        "description": "etcd, by Pulumi",
        "network": network.network,
        "subnetwork": network.subnetwork,
        # CIS 5.6.2: pods have addresses of the VPC.
        "networkingMode": "VPC_NATIVE",
        "ipAllocationPolicy": {
            "clusterSecondaryRangeName": network.pods_range,
            "servicesSecondaryRangeName": network.services_range,
        },
        **_access(gke),
        # CIS 5.8.1: nobody gets in by a certificate that cannot be revoked.
        "masterAuth": {"clientCertificateConfig": {"issueClientCertificate": False}},
        "enableLegacyAbac": False,  # CIS 5.8.3
        # Bindings to everybody are refused, and the anonymous may ask for health alone.
        "rbacBindingConfig": {
            "enableInsecureBindingSystemAuthenticated": False,
            "enableInsecureBindingSystemUnauthenticated": False,
        },
        "anonymousAuthenticationConfig": {"mode": "LIMITED"},
        # A Service cannot take traffic that is meant for another address (CVE-2020-8554).
        "serviceExternalIpsConfig": {"enabled": False},
        "releaseChannel": {"channel": gke.channel},  # CIS 5.5.4
        # Upgrades come in these four hours, UTC; a drain moves one member at a time.
        "maintenancePolicy": {"dailyMaintenanceWindow": {"startTime": gke.maintenance_start}},
        # CIS 5.3.1: Kubernetes' Secrets, encrypted by a key of the project.
        "databaseEncryption": (
            {"state": "ENCRYPTED", "keyName": gke.kms_key} if gke.kms_key else None
        ),
        "securityPostureConfig": {"mode": "BASIC"},  # CIS 5.10.4
        # CIS 5.7.1: of the system and of the members.
        "loggingConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]},
        "monitoringConfig": {
            "enableComponents": ["SYSTEM_COMPONENTS"],
            "managedPrometheus": {"enabled": True},
        },
        "costManagementConfig": {"enabled": True},
        "resourceLabels": dict(gke.labels),
        # The provider's own lock, beside Pulumi's protect: it holds for other tools too.
        "deletionProtection": gke.deletion_protection,
    }


def _access(gke: GkeSettings) -> dict[str, Any]:
    """Who reaches the control plane. Nodes have private addresses in any case (CIS 5.6.5)."""
    ranges = [
        {"cidrBlock": cidr, "displayName": f"etcd:gke.authorizedNetworks[{index}]"}
        for index, cidr in enumerate(gke.authorized_networks)
    ]
    public = bool(ranges)
    return {
        "privateClusterConfig": {
            "enablePrivateNodes": True,
            # CIS 5.6.4: no public IP address at all, unless somebody names who may use it.
            "enablePrivateEndpoint": not public,
        },
        # A DNS name that Google's front end answers, behind IAM: no VPN, no IP address to find.
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": not public}},
        # CIS 5.6.3. With no range, nobody but the nodes comes in by IP address.
        "masterAuthorizedNetworksConfig": {
            "cidrBlocks": ranges,
            "gcpPublicCidrsAccessEnabled": False,
            "privateEndpointEnforcementEnabled": True,
        },
    }


def _standard(gke: GkeSettings) -> dict[str, Any]:
    """What Autopilot has built in, and refuses to be told."""
    return {
        # Each pool its own resource. GKE makes none without one, so it goes at once.
        "removeDefaultNodePool": True,
        "initialNodeCount": 1,
        # Cilium: NetworkPolicies hold without an add-on (CIS 5.6.7).
        "datapathProvider": "ADVANCED_DATAPATH",
        "enableIntranodeVisibility": True,  # CIS 5.6.1: flow logs see what stays on a node
        "enableShieldedNodes": True,  # CIS 5.5.5
        # CIS 5.2.2: pods have identities of their own, not the node's.
        "workloadIdentityConfig": {"workloadPool": f"{gke.project}.svc.id.goog"},
        # The kubelet's read-only port tells everybody what runs.
        "nodePoolDefaults": {"nodeConfigDefaults": {"insecureKubeletReadonlyPortEnabled": "FALSE"}},
        # What makes the volumes.
        "addonsConfig": {"gcePersistentDiskCsiDriverConfig": {"enabled": True}},
    }


def _autopilot(gke: GkeSettings, account: pulumi.Output[str]) -> dict[str, Any]:
    """Google runs the nodes; it is told whose rights they have."""
    return {
        "enableAutopilot": True,
        "clusterAutoscaling": {
            "autoProvisioningDefaults": {
                "serviceAccount": account,  # CIS 5.2.1
                "oauthScopes": _SCOPES,
                "bootDiskKmsKey": gke.kms_key,
            }
        },
        "nodePoolAutoConfig": {
            "nodeKubeletConfig": {"insecureKubeletReadonlyPortEnabled": "FALSE"}
        },
    }


def _pool(gke: GkeSettings, account: pulumi.Output[str]) -> dict[str, Any]:
    """The nodes that members run on, and nothing else but GKE's own."""
    return {
        "name": POOL,
        "nodeCount": gke.nodes_per_zone,
        "management": {"autoRepair": True, "autoUpgrade": True},  # CIS 5.5.2, 5.5.3
        # A new node first, then one old one is drained: never fewer nodes than wanted.
        "upgradeSettings": {"strategy": "SURGE", "maxSurge": 1, "maxUnavailable": 0},
        "networkConfig": {"enablePrivateNodes": True},  # CIS 5.6.5
        "nodeConfig": {
            "machineType": gke.machine_type,
            "imageType": "COS_CONTAINERD",  # CIS 5.5.1
            "diskType": "hyperdisk-balanced" if gke.hyperdisk_only else "pd-balanced",
            "diskSizeGb": 50,
            "bootDiskKmsKey": gke.kms_key,  # CIS 5.9.2
            "serviceAccount": account,  # CIS 5.2.1
            "oauthScopes": _SCOPES,
            "metadata": {"disable-legacy-endpoints": "true"},
            # CIS 5.4.1: pods ask GKE's metadata server, which hides the node's credentials.
            "workloadMetadataConfig": {"mode": "GKE_METADATA"},
            "shieldedInstanceConfig": {  # CIS 5.5.6, 5.5.7
                "enableIntegrityMonitoring": True,
                "enableSecureBoot": True,
            },
            "labels": NODE_LABEL,
            "taints": [{"key": TAINT_KEY, "value": "true", "effect": "NO_SCHEDULE"}],
            "resourceLabels": dict(gke.labels),
        },
    }
