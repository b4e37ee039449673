"""The discovery service in the namespace: a one-member etcd that lives until the handover."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s

from components.names import Names
from components.workload import SKIP_AWAIT, Workload, stateful_set

TOKEN = "etcd:cluster:DiscoveryService"


class DiscoveryService(pulumi.ComponentResource):
    """Where the seeds find each other, by etcd's v3 discovery.

    **Pulumi Type:** ``etcd:cluster:DiscoveryService``
    Children: Service, StatefulSet at rest. Declared for every discovery mode, so that a change of
    the mode never touches a cluster that exists. Deliberately absent: the token and the start,
    which the dynamic resource `Discovery` owns.
    """

    def __init__(
        self,
        name: str,
        names: Names,
        image: pulumi.Input[str],
        hooks: pulumi.ResourceHookBinding,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self, hooks=hooks)
        settings = names.settings
        k8s.core.v1.Service(
            names.discovery,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=names.discovery,
                namespace=settings.kubernetes.namespace,
                labels=names.labels,
                annotations=SKIP_AWAIT,
            ),
            spec=k8s.core.v1.ServiceSpecArgs(
                selector=names.selector("discovery"),
                # The seeds ask as soon as it runs; waiting for readiness would cost seconds.
                publish_not_ready_addresses=True,
                ports=[
                    k8s.core.v1.ServicePortArgs(
                        name="client", port=settings.etcd.client_port, target_port="client"
                    )
                ],
            ),
            opts=child,
        )
        stateful_set(
            names,
            Workload(
                role="discovery",
                name=names.discovery,
                service_name=names.discovery,
                image=image,
                cpu=settings.seeds.cpu,
                memory=settings.seeds.memory,
                peer_url=names.discovery_url,
                client_url=names.discovery_url,
                gated=True,
                update_strategy="OnDelete",
                grace_seconds=10,
                retain=None,
                env={"MEMBER_CLUSTER_URL": names.discovery_url},
            ),
            child,
        )
        self.register_outputs({})
