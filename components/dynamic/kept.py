"""Whether the settings fit the volumes on which a cluster was kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from components.dynamic.lock import CLUSTER_ANNOTATION, PEER_ANNOTATION, holding
from components.dynamic.pods import ordinal_of
from components.dynamic.site import Site


def misfits(site: Site, claims: Iterable[Any], props: Mapping[str, Any]) -> list[str]:
    """What is to be set otherwise, or nothing where no cluster is kept.

    `claims`: the units' volumes. `props`: the preflight's.
    """
    fixed: Mapping[str, str] = props["fixed"]
    kept = {
        ordinal: claim
        for claim in holding(claims)
        if (ordinal := ordinal_of(claim, f"data-{site.units}")) is not None
    }
    if not kept:
        return []
    known = next(iter(kept.values())).metadata.annotations[CLUSTER_ANNOTATION]
    whose = f"volumes of namespace {site.namespace} hold cluster {known}"
    found = [
        _kind(fixed["storage.kind"]),
        _size(kept.values(), fixed["storage.size"]),
        _count(kept, int(props["unit_pods"])),
        _address(site, kept, fixed),
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


def _address(site: Site, kept: Mapping[int, Any], fixed: Mapping[str, str]) -> str | None:
    """Members find each other by the addresses that stand in their data. No scheme is noted."""
    domain, port = fixed["kubernetes.clusterDomain"], fixed["etcd.peerPort"]
    for ordinal, claim in kept.items():
        noted = claim.metadata.annotations.get(PEER_ANNOTATION)
        host = f"{site.units}-{ordinal}.{site.peer_service}.{site.namespace}.svc.{domain}"
        if noted and noted != f"{host}:{port}":
            return _moved(noted, host, port) or (
                f"of which {claim.metadata.name} is of the member at {noted}: it was put in "
                "another's place. Give each unit its own volume"
            )
    return None


_KEYS = (None, "etcd.name", "kubernetes.namespace", None, "kubernetes.clusterDomain")
"""Of the parts of a member's host: pod, peer Service, namespace, `svc`, domain."""


def _moved(noted: str, host: str, port: str) -> str | None:
    """Which settings make other addresses than the noted one; None where it is the pod alone."""
    noted_host, _, noted_port = noted.rpartition(":")
    parts = zip(_KEYS, noted_host.split(".", 4), host.split(".", 4), strict=False)
    back = {key: there for key, there, here in parts if key and there != here}
    if noted_port != port:
        back["etcd.peerPort"] = noted_port
    if not back:
        return None
    if "etcd.name" in back:
        back["etcd.name"] = back["etcd.name"].removesuffix("-peer")
    told = " and ".join(f"etcd:{key} back to {value}" for key, value in back.items())
    place = "" if back.keys().isdisjoint(_KEYS[1:3]) else ", and restore the volumes there"
    return (
        f"whose members find each other at addresses like {noted}, not {host}:{port}. "
        f"Set {told}{place}"
    )
