"""Dynamic resource `Start`: lets the first units' pods come, beside the birth of the cluster.

The StatefulSet declares no replicas, so that no apply and no refresh ever fights the sequences.
In a destroy it goes before all workloads, and sees to it that no half cluster is kept, and that
no token is left with somebody else's discovery service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, UpdateResult

from components.dynamic.provider import DynamicProvider, KubernetesResource
from components.site import Site


class StartProvider(DynamicProvider):
    """Raises the count once and returns: units wait by themselves for a cluster to join."""

    # With these `delete` asks. The count matters at the start only: later it belongs to `Scale`.
    inputs = ("site", "kubeconfig")

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Raise the replica count to the wanted one.

        Never lower it: more are there after a destroy that was cut off. They may be voters, and go
        one by one in the handover, which is created after this.
        """
        from components.kube.client import Kube  # noqa: PLC0415 - heavy
        from components.kube.errors import plain_errors  # noqa: PLC0415 - heavy

        site, wanted = Site.of(props), int(props["units"])
        with plain_errors(site):
            kube = Kube(props["kubeconfig"], site)
            if kube.stateful_set(site.units).spec.replicas < wanted:
                kube.scale(site.units, wanted)
        return CreateResult(id_=f"{site.namespace}/{site.units}", outs=props)

    def update(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> UpdateResult:
        """Note how the cluster is reached, and nothing else."""
        return UpdateResult(outs={**_olds, **_news})

    def delete(self, _id: str, _props: Any) -> None:
        """Delete a token's keys that an unfinished bootstrap has left at somebody's discovery
        service, while there are pods that reach it. The StatefulSet goes with its own resource.

        Raises SequenceError where a half cluster would be kept: see `components.birth.whole`.
        """
        from components.birth.teardown import forget_unfinished  # noqa: PLC0415 - heavy
        from components.birth.whole import require_whole  # noqa: PLC0415 - kubernetes is heavy

        require_whole(Site.of(_props), _props["kubeconfig"])
        forget_unfinished(Site.of(_props), _props["kubeconfig"])


class Start(KubernetesResource, module="etcd", name="Start"):
    """The units' first pods.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Start``
    """

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), units."""
        super().__init__(StartProvider(), name, props, opts)
