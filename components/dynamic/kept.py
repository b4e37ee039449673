"""Whether the settings fit the volumes on which a cluster was kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from components.dynamic.lock import CLUSTER_ANNOTATION, PEER_ANNOTATION
from components.dynamic.pods import ordinal_of
from components.dynamic.site import Site


def misfits(site: Site, claims: Iterable[Any], props: Mapping[str, Any]) -> list[str]:
    """What is to be set otherwise, or nothing where no cluster is kept.

    `claims`: the units' volumes. `props`: the preflight's.
    """
    fixed: Mapping[str, str] = props["fixed"]
    kept = {
        ordinal: claim
        for claim in claims
        if CLUSTER_ANNOTATION in (claim.metadata.annotations or {})
        and claim.metadata.deletion_timestamp is None
        and (ordinal := ordinal_of(claim, f"data-{site.units}")) is not None
    }
    if not kept:
        return []
    known = next(iter(kept.values())).metadata.annotations[CLUSTER_ANNOTATION]
    whose = f"volumes of namespace {site.namespace} hold cluster {known}"
    found = [
        _kind(fixed["storage.kind"]),
        _size(kept.values(), fixed["storage.size"]),
        _count(kept, int(props["unit_pods"])),
        _address(kept, fixed),
    ]
    return [f"{whose}, {problem}" for problem in found if problem]


def _kind(kind: str) -> str | None:
    if kind == "persistent":
        return None
    return (
        f"and etcd:storage.kind is {kind}: the units would start empty beside them. Set it back: "
        "pulumi config set --path etcd:storage.kind persistent"
    )


def _size(claims: Iterable[Any], storage: str) -> str | None:
    """etcd's quota follows the setting, and would be more than a smaller volume can hold."""
    sizes = {claim.spec.resources.requests["storage"] for claim in claims}
    least = min(sizes, key=parse_quantity)
    if parse_quantity(least) >= parse_quantity(storage):
        return None
    return (
        f"and are of {least}, less than etcd:storage.size ({storage}). Set it back: pulumi config "
        f"set --path etcd:storage.size {least}"
    )


def _count(ordinals: Iterable[int], count: int) -> str | None:
    """A cluster whose members are not all started has no quorum that would let them go."""
    units = max(ordinals) + 1
    if units <= count:
        return None
    odd = units + 1 - units % 2
    return (
        f"which has {units} units, more than etcd:units.count ({count}). Bring it back first: "
        f"pulumi config set --path etcd:units.count {odd}, pulumi up; then lower it"
    )


def _address(kept: Mapping[int, Any], fixed: Mapping[str, str]) -> str | None:
    """Members find each other by the addresses that stand in their data."""
    wanted = f".svc.{fixed['kubernetes.clusterDomain']}:{fixed['etcd.peerPort']}"
    for claim in kept.values():
        noted = claim.metadata.annotations.get(PEER_ANNOTATION)
        if noted and not noted.endswith(wanted):
            return (
                f"whose members find each other at addresses like {noted}. Set "
                "etcd:kubernetes.clusterDomain and etcd:etcd.peerPort back to these"
            )
    return None
