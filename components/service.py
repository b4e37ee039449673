"""The Services: stable names for the peers, one stable address for the clients."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s

from components.names import Names
from components.workload import SKIP_AWAIT

TOKEN = "etcd:cluster:Service"

_INTERNAL = {
    # Each cloud reads its own; the others ignore it.
    "networking.gke.io/load-balancer-type": "Internal",
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
}


class Services(pulumi.ComponentResource):
    """The headless peer Service and the client Service.

    **Pulumi Type:** ``etcd:cluster:Service``
    Children: two Services. The peer Service publishes pods that are not ready, since names that
    vanish with the quorum would keep it from coming back; the client Service has ready ones only.
    Deliberately absent: the peer port on anything but the headless Service.
    """

    cluster_ip: pulumi.Output[str]
    """Of the client Service."""

    def __init__(
        self,
        name: str,
        names: Names,
        hooks: pulumi.ResourceHookBinding,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self, hooks=hooks)
        settings = names.settings
        namespace, etcd = settings.kubernetes.namespace, settings.etcd
        k8s.core.v1.Service(
            names.peer_service,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=names.peer_service,
                namespace=namespace,
                labels=names.labels,
                annotations=SKIP_AWAIT,
            ),
            spec=k8s.core.v1.ServiceSpecArgs(
                cluster_ip="None",
                publish_not_ready_addresses=True,
                selector=names.member_selector,
                ports=[
                    _port("peer", etcd.peer_port),
                    _port("client", etcd.client_port),
                    _port("metrics", etcd.metrics_port),
                ],
            ),
            opts=child,
        )
        balanced = settings.service.type == "LoadBalancer"
        internal = _INTERNAL if balanced and settings.service.internal else {}
        client = k8s.core.v1.Service(
            names.client_service,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=names.client_service,
                namespace=namespace,
                labels=names.labels,
                annotations={**SKIP_AWAIT, **internal},
            ),
            spec=k8s.core.v1.ServiceSpecArgs(
                type=settings.service.type,
                selector=names.client_selector,
                load_balancer_source_ranges=list(settings.service.source_ranges) or None,
                ports=[_port("client", etcd.client_port)],
            ),
            opts=child,
        )
        self.cluster_ip = client.spec.cluster_ip
        self.register_outputs({"cluster_ip": self.cluster_ip})


def _port(name: str, number: int) -> k8s.core.v1.ServicePortArgs:
    return k8s.core.v1.ServicePortArgs(name=name, port=number, target_port=name)
