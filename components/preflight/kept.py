"""Whether the settings fit the units' volumes that are there before the units. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from components.etcd.lock import PEER_ANNOTATION, holding
from components.kube.claims import claim_name
from components.kube.pods import by_ordinal, ending
from components.names import CLUSTER_ANNOTATION
from components.site import Site


def misfits(site: Site, claims: Iterable[Any], props: Mapping[str, Any]) -> list[str]:
    """What is to be set otherwise, or nothing where units can take all that is there.

    `claims`: the units' volumes. `props`: the preflight's.
    """
    # By their names alone, whatever their labels: so a StatefulSet takes them.
    own = {
        ordinal: claim
        for ordinal, claim in by_ordinal(claims, claim_name(site.units)).items()
        if not ending(claim)
    }
    kept = {ordinal: claim for ordinal, claim in own.items() if holding([claim])}
    # Those of units beyond the count too: once it grows nobody asks any more.
    left = [claim for ordinal, claim in own.items() if ordinal not in kept]
    return [*_kept(site, kept, props), *_left(site, left, props)]


def _kept(site: Site, kept: Mapping[int, Any], props: Mapping[str, Any]) -> list[str]:
    """What does not fit the cluster that was kept, if there is one."""
    if not kept:
        return []
    fixed: Mapping[str, str] = props["fixed"]
    known = next(iter(kept.values())).metadata.annotations[CLUSTER_ANNOTATION]
    whose = f"volumes of namespace {site.namespace} hold cluster {known}"
    found = [
        _kind(fixed["storage.kind"]),
        _size(kept.values(), fixed["storage.size"]),
        _count(kept, int(props["unit_pods"])),
        _address(site, kept, fixed),
    ]
    return [f"{whose}, {problem}" for problem in found if problem]


def _left(site: Site, claims: Sequence[Any], props: Mapping[str, Any]) -> list[str]:
    """What is wrong with claims that carry no note of a cluster, as an `up` leaves them that ended
    before the birth.

    A StatefulSet takes a claim as it is: on a smaller one the disk would be full before etcd's
    quota is reached, and one of a class that serves nobody is never bound.
    """
    if not int(props["unit_volumes"]):
        return []
    size, wanted = str(props["storage"]), str(props["storage_class"])
    sizes = {c.metadata.name: str(c.spec.resources.requests["storage"]) for c in claims}
    classes = {c.metadata.name: c.spec.storage_class_name or "" for c in claims}
    small = [name for name in sizes if parse_quantity(sizes[name]) < parse_quantity(size)]
    # None is asked for: the default, which may be another one than it was.
    other = [name for name in classes if wanted and classes[name] != wanted]
    unfit = [name for name in sizes if name in small or name in other]
    if not unfit:
        return []
    there = ", ".join(f"{name} ({_request(sizes[name], classes[name])})" for name in unfit)
    asked = f"{size}, class {wanted}" if wanted else size
    back = [_size_back([sizes[name] for name in small])] if small else []
    if other:
        back.append(_class_back(classes[other[0]]))
    # No one class suits claims of several.
    possible = not other or len(set(classes.values())) == 1
    return [
        f"volume claims of namespace {site.namespace}, which units would take as they are: {there};"
        f" asked for: {asked}. Nothing says that they hold a cluster. If what they hold is not "
        f"wanted: {site.kubectl('delete', 'pvc', *unfit)}"
        + (f"; else set back what is asked for: {', '.join(back)}" if possible else "")
    ]


def _request(size: str, storage_class: str) -> str:
    return f"{size}, {f'class {storage_class}' if storage_class else 'no class'}"


def _size_back(sizes: Iterable[str]) -> str:
    return f"pulumi config set --path etcd:storage.size {min(sizes, key=parse_quantity)}"


def _class_back(storage_class: str) -> str:
    if storage_class:
        return f"pulumi config set --path etcd:storage.className {storage_class}"
    return "pulumi config rm --path etcd:storage.className"


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
        f"and are of {least}, less than etcd:storage.size ({storage}). Set it back: "
        f"{_size_back([least])}"
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
