"""Who may open connections to the cluster's pods: NetworkPolicies, where the network has them.

Kubernetes lets a node always reach its own pods (Kubernetes: Network Policies), so probes need no
rule. What a pod connects to itself is not restricted.
"""

from __future__ import annotations

from typing import Any

import pulumi

from components.kubernetes_object import KubernetesObject
from components.names import Names

Rule = dict[str, Any]


def network_policy(
    names: Names,
    name: str,
    selector: dict[str, str],
    rules: list[Rule],
    opts: pulumi.ResourceOptions,
) -> None:
    """Declare that the selected pods are reached by these rules alone."""
    KubernetesObject(
        name,
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": names.metadata(name),
            "spec": {
                "podSelector": {"matchLabels": selector},
                "policyTypes": ["Ingress"],
                "ingress": rules,
            },
        },
        opts,
    )


def everybody(*ports: int) -> Rule:
    """Anyone may connect to these ports."""
    return {"ports": [_tcp(port) for port in ports]}


def only(pods: dict[str, str], *ports: int) -> Rule:
    """Pods of the same namespace with these labels may connect to these ports."""
    peers = [{"podSelector": {"matchLabels": pods}}]
    return {"from": peers, "ports": [_tcp(port) for port in ports]}


def _tcp(port: int) -> dict[str, str | int]:
    # By number, though the container names its ports: Amazon's controller looked for a name among
    # the ports of those who connect (aws/amazon-network-policy-controller-k8s#81, mended by its
    # #92), so that rules for anybody let nobody through. The price: while the metrics or the health
    # port is changed, pods that are still to restart are not reached at their old one.
    return {"protocol": "TCP", "port": port}
