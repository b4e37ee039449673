"""Dynamic resource `Discovery`: a token, and the seeds that used it up.

A token is single-use, even if the bootstrap failed half-way (etcd: dev-internal/
discovery_protocol.md). So taking it and using it are one transaction: `create` ends when the
seeds have formed the cluster and the birth mark is in it. A failure leaves nothing in Pulumi's
state, and the next attempt begins with a new token and empty seeds.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult

from components.dynamic.provider import DynamicProvider, KubernetesResource
from components.site import Site


class DiscoveryProvider(DynamicProvider):
    """Obtains the token, runs the discovery service and the seeds, and accepts the cluster."""

    # What it is given matters at birth only: a change later changes nothing.
    inputs = ()

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return when a cluster exists: retained, born earlier, or born now."""
        from components.birth.birth import birth  # noqa: PLC0415 - kubernetes is heavy

        site = Site.of(props)
        outs = birth(site, props)
        return CreateResult(id_=f"{site.namespace}/{site.discovery}", outs={**props, **outs})

    def delete(self, _id: str, _props: Any) -> None:
        """Nothing: the workloads' own resources end them, also when the cluster is unreachable."""


class Discovery(KubernetesResource, module="etcd", name="Discovery"):
    """The birth of the cluster.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Discovery``
    Outputs: see the attributes. Deliberately absent: a refresh that asks for a token again; the
    token is used up when this resource exists.
    """

    cluster_id: pulumi.Output[str]
    """Hexadecimal, as etcdctl prints it."""
    birth: pulumi.Output[str]
    """The mark that was written into it when it was born: see `components.etcd.lock`."""
    origin: pulumi.Output[str]
    """`born` by this `up`, `resumed` from an interrupted one, or `retained` on volumes."""
    token: pulumi.Output[str]
    """The token or v2 URL that was used, secret; empty for a retained cluster."""
    phases: pulumi.Output[dict[str, float]]
    """Seconds that each phase took."""

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), size (of the seeds), units (their count), mode,
        url, timeout_seconds."""
        super().__init__(
            DiscoveryProvider(),
            name,
            props,
            opts,
            outputs=("cluster_id", "birth", "origin", "token", "phases"),
            secrets=("token", "kubeconfig"),
        )
