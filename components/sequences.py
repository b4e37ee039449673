"""What the program hands to its dynamic resources, and what it tells the user of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.cluster import Cluster
from components.dynamic.address import Address
from components.dynamic.discovery import Discovery
from components.dynamic.handover import Handover
from components.names import ARCH_LABEL, SERVING_LABEL, Names
from components.service import Services
from components.settings.immutable import STACK, UNSET
from components.settings.quantity import cpu_cores, size_bytes
from components.site import Site
from components.sizing import quota_bytes


def place(names: Names, cluster: Cluster) -> dict[str, Any]:
    """The inputs that every dynamic resource has: where the cluster lives, how to get there."""
    return {"site": site(names, cluster).inputs(), "kubeconfig": cluster.kubeconfig}


def site(names: Names, cluster: Cluster) -> Site:
    """Where the cluster lives."""
    settings = names.settings
    return Site(
        context=cluster.context,
        namespace=settings.kubernetes.namespace,
        stack=names.stack,
        units=names.units,
        seeds=names.seeds,
        discovery=names.discovery,
        service=names.client_service,
        peer_service=names.peer_service,
        serving_label=SERVING_LABEL,
        local_url=f"{names.scheme}://127.0.0.1:{settings.etcd.client_port}",
        discovery_url=names.discovery_url,
    )


def preflight(names: Names) -> dict[str, Any]:
    """What the stack will ask of the Kubernetes cluster when it asks for most: at the handover."""
    settings = names.settings
    seeds, units = settings.seeds, settings.units
    helpers = seeds.count + 1  # the discovery service runs beside the seeds
    persistent = settings.storage.kind == "persistent"
    return {
        "fixed": _fixed(names),
        "version": settings.etcd.version,
        "pods": units.count + helpers,
        "cpu": str(units.count * cpu_cores(units.cpu) + helpers * cpu_cores(seeds.cpu)),
        "memory": str(units.count * size_bytes(units.memory) + helpers * size_bytes(seeds.memory)),
        "unit_pods": units.count,
        "unit_cpu": str(units.count * cpu_cores(units.cpu)),
        "unit_memory": str(units.count * size_bytes(units.memory)),
        "priority_class": names.priority_class or "",
        "arch": _arch(names),
        "storage_class": names.storage_class or "",
        # Made after this question is asked.
        "own_storage_class": names.owns_storage_class,
        "storage": settings.storage.size,
        "quota": quota(names),
        "volumes": units.count + seeds.count if persistent else 0,
        "unit_volumes": units.count if persistent else 0,
        "seeds": seeds.count,
        "discovery_mode": settings.discovery.mode,
        "discovery_url": settings.discovery.url or "",
    }


def _arch(names: Names) -> str:
    """The kind of nodes that pods select since `image.platform` says so; empty where it does not:
    the nodes of a cluster that is made here are of that kind, a prebuilt image may be for any, and
    of its own choice of nodes the stack's word is the last."""
    settings = names.settings
    if settings.gke.create or ARCH_LABEL in settings.units.node_selector:
        return ""
    return names.node_selector.get(ARCH_LABEL, "")


def quota(names: Names) -> dict[str, Any]:
    """etcd's quota, where it follows a setting that may change while the cluster exists."""
    settings = names.settings
    if settings.storage.kind != "memory":
        return {}
    return {"bytes": quota_bytes(settings), "memory": settings.units.memory}


def _fixed(names: Names) -> dict[str, str]:
    """Settings by key that stay as they are while the cluster exists.

    The stack's name too: it stands in the selectors, which are immutable.
    """
    settings = names.settings
    kubernetes, etcd, storage = settings.kubernetes, settings.etcd, settings.storage
    fixed = {
        "gke.create": str(settings.gke.create).lower(),
        "kubernetes.context": kubernetes.context or UNSET,
        "kubernetes.namespace": kubernetes.namespace,
        "kubernetes.clusterDomain": kubernetes.cluster_domain,
        "etcd.name": etcd.name,
        "etcd.clientPort": etcd.client_port,
        "etcd.peerPort": etcd.peer_port,
        "storage.kind": storage.kind,
        "storage.size": storage.size,
        "storage.className": storage.class_name or UNSET,
    }
    return {STACK: names.stack, **{key: str(value) for key, value in fixed.items()}}


def discovery(names: Names) -> dict[str, Any]:
    """What the birth needs to know."""
    settings = names.settings
    return {
        "size": settings.seeds.count,
        "units": settings.units.count,
        "mode": settings.discovery.mode,
        "url": settings.discovery.url or "",
        "timeout_seconds": settings.handover.timeout_seconds,
    }


def count(names: Names) -> dict[str, Any]:
    """How many units are wanted, and how long a sequence may take to get there, in seconds."""
    settings = names.settings
    return {
        "units": settings.units.count,
        "timeout_seconds": settings.handover.timeout_seconds,
    }


def change(names: Names) -> dict[str, Any]:
    """How many units are wanted, and how a change may get there."""
    return {**count(names), "min_tolerance": names.settings.units.min_tolerance}


def identity(discovery: Discovery) -> dict[str, Any]:
    """Which cluster it is: what every sequence compares before it touches anything."""
    return {"cluster_id": discovery.cluster_id, "birth": discovery.birth}


def address(names: Names, services: Services) -> dict[str, Any]:
    """Whose address is waited for, and for how long."""
    return {
        "service_uid": services.client_uid,
        "timeout_seconds": names.settings.handover.timeout_seconds,
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


def floor(*proofs: pulumi.Output[dict[str, Any]]) -> pulumi.Output[int]:
    """The revision that the last of these sequences has left: the cluster is never behind it."""
    return latest(*proofs).apply(lambda proof: int(proof.get("revision") or 0))


def versions(proof: Mapping[str, Any]) -> str:
    """The etcd versions that run, as the members have told them: one, or where they differ all of
    them. Pure."""
    told = {str(member.get("version") or "") for member in proof.get("members") or []}
    return ", ".join(sorted(told - {""}))


def access(
    names: Names, cluster: Cluster, services: Services, address: Address | None
) -> dict[str, Any]:
    """The stack's outputs about the way to the members. `address`: where there is one outside."""
    port = names.settings.etcd.client_port
    outside = address and pulumi.Output.concat(names.scheme, "://", address.host, ":", str(port))
    return {
        "endpoint": outside or names.cluster_url,
        "clientHost": address.host if address else services.cluster_ip,
        "clientPort": port,
        "connect": site(names, cluster).connect,
        "namespace": names.settings.kubernetes.namespace,
    }


def outputs(
    discovery: Discovery, handover: Handover, proof: pulumi.Output[dict[str, Any]]
) -> dict[str, Any]:
    """The stack's outputs about the cluster, as the last sequence has left it."""
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
