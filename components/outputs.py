"""What the program tells the user: the stack's outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.dynamic.address import Address
from components.dynamic.discovery import Discovery
from components.dynamic.handover import Handover
from components.dynamic.rollout import Rollout
from components.dynamic.scale import Scale
from components.names import Names
from components.service import Services
from components.site import Site


def export(*groups: Mapping[str, Any]) -> None:
    """Make them outputs of the stack."""
    for group in groups:
        for name, value in group.items():
            pulumi.export(name, value)


def access(names: Names, site: Site, services: Services, address: Address | None) -> dict[str, Any]:
    """The way to the members. `address`: where there is one outside."""
    port = names.settings.etcd.client_port
    outside = address and pulumi.Output.concat(names.scheme, "://", address.host, ":", str(port))
    return {
        "endpoint": outside or names.cluster_url,
        "clientHost": address.host if address else services.cluster_ip,
        "clientPort": port,
        "connect": site.connect(names.settings.kubernetes.kubeconfig),
        "namespace": site.namespace,
    }


def etcd(
    discovery: Discovery, handover: Handover, scale: Scale, rollout: Rollout
) -> dict[str, Any]:
    """The cluster as the last sequence has left it."""
    proof = latest(handover.proof, scale.proof, rollout.proof)
    return {
        "version": proof.apply(versions),
        "clusterId": discovery.cluster_id,
        "origin": discovery.origin,
        **{
            key: proof.apply(lambda found, key=key: found.get(key))
            for key in ("members", "revision", "receipt")
        },
        "timings": pulumi.Output.all(birth=discovery.phases, handover=handover.timings),
    }


def latest(*proofs: pulumi.Output[dict[str, Any]]) -> pulumi.Output[dict[str, Any]]:
    """The proof of the sequence that ended last. They are given in the order of one `up`."""
    return pulumi.Output.all(*proofs).apply(newest)


def newest(proofs: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """The one that was taken last. Pure.

    Not the one of the highest revision: a cluster may have come back from an older copy. Of two of
    the same second, the later in one `up`.
    """
    return dict(max(reversed([p or {} for p in proofs]), key=lambda proof: proof.get("at", 0)))


def versions(proof: Mapping[str, Any]) -> str:
    """The etcd versions that run, as the members have told them: one, or where they differ all of
    them. Pure."""
    found = {str(member.get("version") or "") for member in proof.get("members") or []}
    return ", ".join(sorted(found - {""}))
