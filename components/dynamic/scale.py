"""Dynamic resource `Scale`: the one writer of the units' replica count.

The StatefulSet declares no replicas, so that no apply and no refresh ever fights this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, Resource, UpdateResult

from components.dynamic.progress import SequenceError
from components.dynamic.provider import Sequence
from components.dynamic.site import Site


class ScaleProvider(Sequence):
    """Sets the count and returns: units join by themselves when there is a cluster to join."""

    inputs = ("units",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Set the replica count."""
        from components.dynamic.kube import Kube, plain_errors  # noqa: PLC0415 - heavy

        site = Site.of(props)
        with plain_errors(site):
            Kube(props["kubeconfig"], site).scale(site.units, int(props["units"]))
        return CreateResult(id_=f"{site.namespace}/{site.units}", outs=props)

    def update(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> UpdateResult:
        """Grow. Raises SequenceError for a smaller count, before anything is touched."""
        old, new = int(_olds["units"]), int(_news["units"])
        if new < old:
            raise SequenceError(
                f"etcd:units.count goes from {old} to {new}: shrinking is not available yet, "
                "since members must leave the cluster before their pods end",
                f"pulumi config set --path etcd:units.count {old}",
            )
        return super().update(_id, _olds, _news)


class Scale(Resource, module="etcd", name="Scale"):
    """The units' count.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Scale``
    """

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), units."""
        secret = pulumi.ResourceOptions(additional_secret_outputs=["kubeconfig"])
        super().__init__(ScaleProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
