"""The members' network: stable names for the peers, one stable address for the clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.kubernetes_object import KubernetesObject
from components.names import Names
from components.network_policy import everybody, network_policy, only
from components.workload import SKIP_AWAIT

TOKEN = "etcd:cluster:Service"

_INTERNAL = {
    # Each cloud reads its own; the others ignore it. Amazon has two controllers: the one that is
    # part of a cluster reads `internal`, the one that people install reads `scheme`.
    "networking.gke.io/load-balancer-type": "Internal",
    "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
    "service.beta.kubernetes.io/oci-load-balancer-internal": "true",
    "service.beta.kubernetes.io/openstack-internal-load-balancer": "true",
}


class Services(pulumi.ComponentResource):
    """The headless peer Service, the client Service, and who may connect to the members.

    **Pulumi Type:** ``etcd:cluster:Service``
    Children: two Services, NetworkPolicy. The peer Service publishes pods that are not ready, since
    names that vanish with the quorum would keep it from coming back; the client Service has ready
    ones only. Deliberately absent: the peer port on anything but the headless Service; the wait for
    a load balancer's address, which `components.dynamic.address` does once the cluster serves.
    """

    cluster_ip: pulumi.Output[str | None]
    """Of the client Service."""
    client_uid: pulumi.Output[str | None]
    """What tells it from another one of its name."""

    def __init__(
        self,
        name: str,
        names: Names,
        hooks: pulumi.ResourceHookBinding,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self, hooks=hooks)
        etcd, wanted = names.settings.etcd, names.settings.service
        service(
            names,
            names.peer_service,
            {
                "clusterIP": "None",
                "publishNotReadyAddresses": True,
                "selector": names.member_selector,
                "ports": [
                    port("peer", etcd.peer_port),
                    port("client", etcd.client_port),
                    port("metrics", etcd.metrics_port),
                ],
            },
            child,
        )
        sources = list(wanted.source_ranges)
        client = service(
            names,
            names.client_service,
            {
                "type": wanted.type,
                "selector": names.client_selector,
                "ports": [port("client", etcd.client_port)],
                **({"loadBalancerSourceRanges": sources} if sources else {}),
            },
            child,
            _INTERNAL if wanted.type == "LoadBalancer" and wanted.internal else {},
        )
        network_policy(
            names,
            names.units,
            names.member_selector,
            # Members trust whoever speaks to their peer port, and ask each other by the health port
            # for how long they have been well. Metrics tell no data.
            [
                only(names.member_selector, etcd.peer_port, etcd.health_port),
                everybody(etcd.client_port, etcd.metrics_port),
            ],
            child,
        )
        self.cluster_ip = client.spec.apply(lambda spec: spec.get("clusterIP"))
        self.client_uid = client.metadata.apply(lambda metadata: metadata.get("uid"))
        self.register_outputs({"cluster_ip": self.cluster_ip})


def service(
    names: Names,
    name: str,
    spec: Mapping[str, Any],
    opts: pulumi.ResourceOptions,
    annotations: Mapping[str, str] | None = None,
) -> KubernetesObject:
    """Declare a Service, for which Pulumi does not wait."""
    return KubernetesObject(
        name,
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": names.metadata(name, {**SKIP_AWAIT, **(annotations or {})}),
            "spec": spec,
        },
        opts,
    )


def port(name: str, number: int) -> dict[str, str | int]:
    """One of a Service's ports, which leads to the container's port of this name."""
    return {"name": name, "port": number, "targetPort": name}
