"""The discovery service in the namespace: a one-member etcd that lives until the handover."""

from __future__ import annotations

import pulumi

from components.names import Names
from components.network_policy import network_policy, only
from components.service import port, service
from components.workload import Workload, stateful_set

TOKEN = "etcd:cluster:DiscoveryService"


class DiscoveryService(pulumi.ComponentResource):
    """Where the seeds find each other, by etcd's v3 discovery.

    **Pulumi Type:** ``etcd:cluster:DiscoveryService``
    Children: Service, NetworkPolicy, StatefulSet at rest. Declared for every discovery mode, so
    that a change of the mode never touches a cluster that exists. Deliberately absent: the token
    and the start, which the dynamic resource `Discovery` owns.
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
        service(
            names,
            names.discovery,
            {
                "selector": names.selector("discovery"),
                # The seeds ask as soon as it runs; waiting for readiness would cost seconds.
                "publishNotReadyAddresses": True,
                "ports": [port("client", settings.etcd.client_port)],
            },
            child,
        )
        network_policy(
            names,
            names.discovery,
            names.selector("discovery"),
            # Units too: through one of them the handover deletes the token's keys.
            [only(names.member_selector, settings.etcd.client_port)],
            child,
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
                cluster_url=names.discovery_url,
                gated=True,
                grace_seconds=10,
                retain=None,
            ),
            child,
        )
        self.register_outputs({})
