"""The seeds: members that form the cluster by discovery and leave at the handover."""

from __future__ import annotations

import pulumi

from components.names import Names
from components.workload import Workload, stateful_set

TOKEN = "etcd:cluster:Seeds"


class Seeds(pulumi.ComponentResource):
    """The seeds' workload, at rest: no pod of it starts before the discovery resource lets it.

    **Pulumi Type:** ``etcd:cluster:Seeds``
    Children: StatefulSet. Deliberately absent: the count, which the sequences set; a rollout
    (OnDelete: a template change must never restart a seed in the middle of a bootstrap).
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
        seeds = names.settings.seeds
        stateful_set(
            names,
            Workload(
                role="seed",
                name=names.seeds,
                service_name=names.peer_service,
                image=image,
                cpu=seeds.cpu,
                memory=seeds.memory,
                peer_url=names.peer_url("$(MEMBER_NAME)"),
                client_url=names.client_url("$(MEMBER_NAME)"),
                cluster_url=names.cluster_url,
                gated=True,
                grace_seconds=30,
                retain={"whenDeleted": "Delete", "whenScaled": "Delete"},
                # Written by the discovery resource before it lets the first seed start.
                discovery_secret=names.discovery,
            ),
            pulumi.ResourceOptions(parent=self, hooks=hooks),
        )
        self.register_outputs({})
