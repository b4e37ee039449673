"""Dynamic resource `Start`: lets the first units' pods come, beside the birth of the cluster.

The StatefulSet declares no replicas, so that no apply and no refresh ever fights the sequences.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, Resource

from components.dynamic.provider import Sequence
from components.dynamic.site import Site


class StartProvider(Sequence):
    """Sets the count once and returns: units wait by themselves for a cluster to join."""

    # What it is given matters at the start only: later the count belongs to `Scale`.
    inputs = ()

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Set the replica count."""
        from components.dynamic.kube import Kube, plain_errors  # noqa: PLC0415 - heavy

        site = Site.of(props)
        with plain_errors(site):
            Kube(props["kubeconfig"], site).scale(site.units, int(props["units"]))
        return CreateResult(id_=f"{site.namespace}/{site.units}", outs=props)

    def delete(self, _id: str, _props: Any) -> None:
        """Nothing: the StatefulSet goes with its own resource."""


class Start(Resource, module="etcd", name="Start"):
    """The units' first pods.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Start``
    """

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), units."""
        secret = pulumi.ResourceOptions(additional_secret_outputs=["kubeconfig"])
        super().__init__(StartProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
