"""The network of a GKE cluster: one subnet, with nothing in it that others could reach."""

from __future__ import annotations

from typing import Any

import pulumi

from components.google_resource import GoogleResource
from components.settings import GkeSettings

TOKEN = "etcd:gke:Network"

NODES = "10.80.0.0/22"
PODS = "10.81.0.0/18"
"""GKE gives each node a /24 of it (110 pods): 64 nodes, `gke.nodeCount` and those of a surge."""
SERVICES = "10.82.0.0/22"


class Network(pulumi.ComponentResource):
    """A VPC network of the cluster's own.

    **Pulumi Type:** ``etcd:gke:Network``
    Children: ``gcp:compute/network:Network``, ``gcp:compute/subnetwork:Subnetwork``.
    Not the project's `default` network: that one opens SSH to the world, has no flow logs, and many
    organisations do not have it. Deliberately absent: Cloud NAT and its monthly fee. Private nodes
    pull from Artifact Registry by Private Google Access, and etcd asks nobody outside. Firewall
    rules too: GKE makes those that its cluster needs, and a network without rules lets nothing in.
    """

    network: pulumi.Output[str]
    subnetwork: pulumi.Output[str]
    """Both as `projects/...` paths, the form in which GKE answers them."""

    pods_range = "pods"
    services_range = "services"

    def __init__(
        self, name: str, gke: GkeSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        network = GoogleResource(
            "gcp:compute/network:Network",
            name,
            {
                "project": gke.project,
                "name": gke.cluster_name,
                "description": "Of the etcd cluster's nodes alone",
                # Else Google makes a subnet in every region of the world.
                "autoCreateSubnetworks": False,
                "routingMode": "REGIONAL",
            },
            child,
        )
        subnetwork = GoogleResource(
            "gcp:compute/subnetwork:Subnetwork",
            name,
            {
                "project": gke.project,
                "region": gke.region,
                "name": gke.cluster_name,
                "network": network.id,
                "ipCidrRange": NODES,
                "secondaryIpRanges": [
                    {"rangeName": self.pods_range, "ipCidrRange": PODS},
                    {"rangeName": self.services_range, "ipCidrRange": SERVICES},
                ],
                # How nodes without a public address reach Artifact Registry and Google's APIs.
                "privateIpGoogleAccess": True,
                "logConfig": _FLOW_LOGS,
            },
            child,
        )
        self.network, self.subnetwork = network.id, subnetwork.id
        self.register_outputs({"network": self.network, "subnetwork": self.subnetwork})


# CIS 5.6.1. Half of the flows, summed up over 5 minutes: who spoke to whom, at a price of cents.
_FLOW_LOGS: dict[str, Any] = {
    "aggregationInterval": "INTERVAL_5_MIN",
    "flowSampling": 0.5,
    "metadata": "INCLUDE_ALL_METADATA",
}
