"""What the program gives to its dynamic resources, each of which says what the keys mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from components.cluster import Cluster
from components.dynamic.discovery import Discovery
from components.dynamic.handover import Handover
from components.dynamic.scale import Scale
from components.names import ARCH_LABEL, SERVING_LABEL, Names
from components.outputs import latest
from components.service import Services
from components.settings.immutable import STACK, UNSET
from components.settings.quantity import cpu_cores, size_bytes
from components.site import Site
from components.sizing import quota_bytes
from components.units import Units


def after(*resources: pulumi.Resource) -> pulumi.ResourceOptions:
    """For what comes to life after these, and goes before them."""
    return pulumi.ResourceOptions(depends_on=list(resources))


@dataclass(frozen=True)
class Inputs:
    """The inputs of one stack's dynamic resources: one method for each resource."""

    names: Names
    kubernetes: Cluster

    @property
    def site(self) -> Site:
        """Where the cluster lives."""
        settings = self.names.settings
        return Site(
            context=self.kubernetes.context,
            namespace=settings.kubernetes.namespace,
            stack=self.names.stack,
            units=self.names.units,
            seeds=self.names.seeds,
            discovery=self.names.discovery,
            service=self.names.client_service,
            peer_service=self.names.peer_service,
            serving_label=SERVING_LABEL,
            local_url=f"{self.names.scheme}://127.0.0.1:{settings.etcd.client_port}",
            discovery_url=self.names.discovery_url,
        )

    def preflight(self) -> dict[str, Any]:
        """What the stack asks of the Kubernetes cluster when it asks for most: at the handover."""
        settings = self.names.settings
        seeds, units = settings.seeds, settings.units
        helpers = seeds.count + 1  # the discovery service runs beside the seeds
        persistent = settings.storage.kind == "persistent"
        return {
            **self._place,
            "fixed": _fixed(self.names),
            "version": settings.etcd.version,
            "pods": units.count + helpers,
            "cpu": str(units.count * cpu_cores(units.cpu) + helpers * cpu_cores(seeds.cpu)),
            "memory": str(
                units.count * size_bytes(units.memory) + helpers * size_bytes(seeds.memory)
            ),
            "unit_pods": units.count,
            "unit_cpu": str(units.count * cpu_cores(units.cpu)),
            "unit_memory": str(units.count * size_bytes(units.memory)),
            "priority_class": self.names.priority_class or "",
            "arch": _arch(self.names),
            "pull_secrets": list(settings.image.pull_secrets),
            "storage_class": self.names.storage_class or "",
            # Made after this question is asked.
            "own_storage_class": self.names.owns_storage_class,
            "storage": settings.storage.size,
            "quota": _quota(self.names),
            "volumes": units.count + seeds.count if persistent else 0,
            "unit_volumes": units.count if persistent else 0,
            "seeds": seeds.count,
            "discovery_mode": settings.discovery.mode,
            "discovery_url": settings.discovery.url or "",
        }

    def namespace(self) -> dict[str, Any]:
        """Whether volumes stay, and whether the Kubernetes cluster goes with the stack."""
        settings = self.names.settings
        return {
            **self._place,
            "retain": settings.storage.retain,
            "cluster_goes": settings.gke.create,
        }

    def start(self) -> dict[str, Any]:
        """How many units' pods are to come."""
        return {**self._place, "units": self.names.settings.units.count}

    def discovery(self) -> dict[str, Any]:
        """What the birth needs to know."""
        settings = self.names.settings
        return {
            **self._place,
            "size": settings.seeds.count,
            "units": settings.units.count,
            "mode": settings.discovery.mode,
            "url": settings.discovery.url or "",
            "timeout_seconds": settings.handover.timeout_seconds,
        }

    def handover(self, discovery: Discovery) -> dict[str, Any]:
        """How many units are wanted, of which cluster."""
        return {**self._place, **self._count, **_identity(discovery)}

    def scale(self, discovery: Discovery, handover: Handover, units: Units) -> dict[str, Any]:
        """The wanted count of units, and the one that Kubernetes has."""
        settings = self.names.settings
        return {
            **self._place,
            **self._change,
            **_identity(discovery),
            "version": settings.etcd.version,
            "retain": settings.storage.retain,
            "found": units.replicas,
            "unfinished": units.unfinished,
            "floor": _floor(handover.proof),
        }

    def rollout(
        self, discovery: Discovery, handover: Handover, scale: Scale, units: Units
    ) -> dict[str, Any]:
        """The units' pod template, and what a change of it must look at."""
        return {
            **self._place,
            **self._change,
            **_identity(discovery),
            "template": units.template,
            "quota": _quota(self.names),
            "unfinished": units.unfinished,
            "floor": _floor(handover.proof, scale.proof),
        }

    def address(self, services: Services) -> dict[str, Any]:
        """Whose address is waited for, and for how long."""
        return {
            **self._place,
            "service_uid": services.client_uid,
            "timeout_seconds": self.names.settings.handover.timeout_seconds,
        }

    @property
    def _place(self) -> dict[str, Any]:
        """What all of them have: where the cluster lives, how to get there."""
        return {"site": self.site.inputs(), "kubeconfig": self.kubernetes.kubeconfig}

    @property
    def _count(self) -> dict[str, Any]:
        """How many units are wanted, and how long a sequence may take to get there, in seconds."""
        settings = self.names.settings
        return {
            "units": settings.units.count,
            "timeout_seconds": settings.handover.timeout_seconds,
        }

    @property
    def _change(self) -> dict[str, Any]:
        """How many units are wanted, and how a change may get there."""
        return {**self._count, "min_tolerance": self.names.settings.units.min_tolerance}


def _identity(discovery: Discovery) -> dict[str, Any]:
    """Which cluster it is: what every sequence compares before it touches anything."""
    return {"cluster_id": discovery.cluster_id, "birth": discovery.birth}


def _floor(*proofs: pulumi.Output[dict[str, Any]]) -> pulumi.Output[int]:
    """The revision that the last of these sequences has left: the cluster is never behind it."""
    return latest(*proofs).apply(lambda proof: int(proof.get("revision") or 0))


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


def _quota(names: Names) -> dict[str, Any]:
    """etcd's quota, where it follows a setting that may change while the cluster exists."""
    settings = names.settings
    if settings.storage.kind != "memory":
        return {}
    return {"bytes": quota_bytes(settings), "memory": settings.units.memory}


def _arch(names: Names) -> str:
    """The kind of nodes that pods select since `image.platform` says so; empty where it does not:
    the nodes of a cluster that is made here are of that kind, a prebuilt image may be for any, and
    of its own choice of nodes the stack's word is the last."""
    settings = names.settings
    if settings.gke.create or ARCH_LABEL in settings.units.node_selector:
        return ""
    return names.node_selector.get(ARCH_LABEL, "")
