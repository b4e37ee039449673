"""Every name, label and address of a cluster, in one place. Pure.

Certificates will change the scheme here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.settings import Settings
from components.site import identity

SERVING_LABEL = "etcd.pulumi.com/serving"
"""On every pod that the client Service may select. The handover takes it off the seeds."""

MEMBER_LABEL = "etcd.pulumi.com/member"
"""On seeds and units, not on the discovery service."""

ROLE_LABEL = "role"

CONTAINER = "etcd"
"""The member's own container in its pod, which may have others: of whoever injects sidecars."""

GATE = "etcd.pulumi.com/bootstrap"
"""Scheduling gate of seeds and discovery: such a pod never starts by itself.

Their StatefulSets declare no replicas, so that no apply ever fights the sequences that scale
them; Kubernetes then makes one pod. The gate keeps that pod, and any pod that Kubernetes
recreates, from running before a sequence lets it.
"""

SCALE, ROLLOUT = "scale", "rollout"
"""The sequences that change a cluster: in their lines and in their notes (see below)."""

UNFINISHED = "etcd.pulumi.com/unfinished-"
"""Start of the annotations by which a sequence (`scale`, `rollout`) notes that it is under way.

On the units' PodDisruptionBudget, which every command reads. If it is cut off and the config is set
back to what Pulumi's state has, nothing else tells that there is work.
"""

CLUSTER_ANNOTATION = "etcd.pulumi.com/cluster-id"
"""On a unit's volume claim: a cluster lives on this volume. Goes where the data goes."""

TEMPLATE_ANNOTATION = "etcd.pulumi.com/template"
"""On each StatefulSet: tells its pod template from any other, so that a sequence knows whether
Kubernetes has been given the one that is declared."""

NODE_LABEL = {"etcd.pulumi.com/dedicated": "true"}
"""On the nodes that are made for members."""

TAINT_KEY = "components.gke.io/gke-managed-components"
"""Keeps everybody else's pods off those nodes, but not GKE's own (DNS, metrics, the tunnel of the
API server), which tolerate this taint and no other. With a taint of our own they would need a
second pool."""

ARCH_LABEL = "kubernetes.io/arch"
"""On every node: its kind of processor, as Go names it."""

_ON_TAINTED = {"key": TAINT_KEY, "operator": "Exists", "effect": "NoSchedule"}

_ON_ARM = {
    "key": ARCH_LABEL,
    "operator": "Equal",
    "value": "arm64",
    "effect": "NoSchedule",
}
"""GKE puts this taint on all Arm nodes, and lets in by itself only pods that select them by
`kubernetes.io/arch` (GKE: prepare an Arm workload for deployment)."""


@dataclass(frozen=True)
class Names:
    """Names derived from the settings of one stack."""

    settings: Settings
    stack: str

    @property
    def units(self) -> str:
        return self.settings.etcd.name

    @property
    def seeds(self) -> str:
        return f"{self.units}-seed"

    @property
    def discovery(self) -> str:
        return f"{self.units}-discovery"

    @property
    def peer_service(self) -> str:
        return f"{self.units}-peer"

    @property
    def client_service(self) -> str:
        return self.settings.service.name

    @property
    def owns_storage_class(self) -> bool:
        """Whether the class of the units' volumes is made here: in a cluster that is, too."""
        storage = self.settings.storage
        own = self.settings.gke.create and storage.class_name is None
        return own and storage.kind == "persistent"

    @property
    def storage_class(self) -> str | None:
        """None: the cluster's default."""
        return f"{self.units}-ssd" if self.owns_storage_class else self.settings.storage.class_name

    @property
    def priority_class(self) -> str | None:
        """Of all members, in a cluster that is made here. None: the cluster's default."""
        return self.units if self.settings.gke.create else None

    @property
    def node_selector(self) -> dict[str, str]:
        """The nodes that can run the members' image, and of a pool that is made for them, its own.

        An image that is built here is for one kind of processor; a prebuilt one may be for several.
        """
        image = self.settings.image
        arch = image.platform.removeprefix("linux/")
        return {
            "kubernetes.io/os": "linux",
            **({ARCH_LABEL: arch} if image.build else {}),
            **(NODE_LABEL if self._own_pool else {}),
        }

    @property
    def tolerations(self) -> list[dict[str, str]]:
        """Of what keeps others off those nodes."""
        if not self._own_pool:
            return []
        arm = self.settings.gke.platform == "linux/arm64"
        return [dict(_ON_TAINTED), *([dict(_ON_ARM)] if arm else [])]

    @property
    def _own_pool(self) -> bool:
        return self.settings.gke.create and not self.settings.gke.autopilot

    @property
    def scheme(self) -> str:
        return "http"

    @property
    def identity(self) -> dict[str, str]:
        return identity(self.units, self.stack)

    def selector(self, role: str) -> dict[str, str]:
        """Tells the pods of one role (unit, seed, discovery) from all others."""
        return {**self.identity, ROLE_LABEL: role}

    @property
    def member_selector(self) -> dict[str, str]:
        """Selects seeds and units."""
        return {**self.identity, MEMBER_LABEL: "true"}

    @property
    def client_selector(self) -> dict[str, str]:
        """Selects the members that serve clients: units, and seeds until the handover."""
        return {**self.member_selector, SERVING_LABEL: "true"}

    @property
    def labels(self) -> dict[str, str]:
        """Labels of every object."""
        etcd = self.settings.etcd
        return {
            **etcd.labels,
            **self.identity,
            "app.kubernetes.io/component": etcd.component,
            "app.kubernetes.io/version": etcd.version,
            "app.kubernetes.io/managed-by": "pulumi",
        }

    def metadata(self, name: str, annotations: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The metadata of an object of this cluster."""
        return {
            "name": name,
            "namespace": self.settings.kubernetes.namespace,
            "labels": self.labels,
            **({"annotations": dict(annotations)} if annotations else {}),
        }

    def global_metadata(self, name: str) -> dict[str, Any]:
        """The metadata of an object that belongs to no namespace."""
        return {"name": name, "labels": self.labels}

    def _url(self, scheme: str, host: str, port: int) -> str:
        kubernetes = self.settings.kubernetes
        domain = f"{kubernetes.namespace}.svc.{kubernetes.cluster_domain}"
        return f"{scheme}://{host}.{domain}:{port}"

    def peer_url(self, pod: str) -> str:
        """Stable: a pod's DNS name, so that a new pod IP changes nothing for etcd."""
        host = f"{pod}.{self.peer_service}"
        return self._url(self.scheme, host, self.settings.etcd.peer_port)

    def client_url(self, pod: str) -> str:
        host = f"{pod}.{self.peer_service}"
        return self._url(self.scheme, host, self.settings.etcd.client_port)

    @property
    def cluster_url(self) -> str:
        """The client Service, as seen inside the Kubernetes cluster."""
        return self._url(self.scheme, self.client_service, self.settings.etcd.client_port)

    @property
    def discovery_url(self) -> str:
        """Client URL of the discovery service in the namespace."""
        return self._url("http", self.discovery, self.settings.etcd.client_port)
