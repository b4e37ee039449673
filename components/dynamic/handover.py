"""Dynamic resource `Handover`: from seeds to units.

`create` returns when exactly the units vote and nothing of the bootstrap is left. It starts from
the live membership, so it goes on where an earlier run was cut off.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult

from components.dynamic.provider import DynamicProvider, KubernetesResource
from components.site import Site


class HandoverProvider(DynamicProvider):
    """Waits until the units vote, moves leadership to one, removes the seeds one by one."""

    # The count belongs to `Scale` once this is done.
    inputs = ("cluster_id",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return when the cluster is balanced; see `components.change.handover`."""
        from components.change.handover import hand_over  # noqa: PLC0415 - kubernetes is heavy

        site = Site.of(props)
        outs = hand_over(site, props)
        return CreateResult(id_=f"{site.namespace}/{site.units}", outs={**props, **outs})

    def delete(self, _id: str, _props: Any) -> None:
        """Nothing: a destroy must not need a cluster that answers."""


class Handover(KubernetesResource, module="etcd", name="Handover"):
    """The passage from seeds to units.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Handover``
    Outputs: see the attributes. Deliberately absent: anything that a refresh would ask the
    cluster; the outputs say how the cluster was when the handover ended.
    """

    proof: pulumi.Output[dict[str, Any]]
    """Of how it ended: members (name, id, role, peerUrl, clientUrl, version), revision, receipt
    (see `components.change.proof.receipt_of`), at (Unix seconds)."""
    timings: pulumi.Output[dict[str, float]]
    """Seconds that each phase took."""

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), units, cluster_id, birth, timeout_seconds."""
        super().__init__(HandoverProvider(), name, props, opts, outputs=("proof", "timings"))
