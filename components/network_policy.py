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


def everybody(*ports: str) -> Rule:
    """Anyone may connect to these ports (names of the container's)."""
    return {"ports": [_tcp(port) for port in ports]}


def only(pods: dict[str, str], *ports: str) -> Rule:
    """Pods of the same namespace with these labels may connect to these ports."""
    peers = [{"podSelector": {"matchLabels": pods}}]
    return {"from": peers, "ports": [_tcp(port) for port in ports]}


def _tcp(port: str) -> dict[str, str]:
    return {"protocol": "TCP", "port": port}
