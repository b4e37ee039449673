"""Where a cluster lives: the plain values that every dynamic resource gets as input `site`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


def identity(units: str, stack: str) -> dict[str, str]:
    """The labels by which a stack's objects are told from all others, and which every selector
    holds. Selectors are immutable: no version in them."""
    return {"app.kubernetes.io/name": units, "app.kubernetes.io/instance": stack}


@dataclass(frozen=True)
class Site:
    """Names and addresses of one cluster. All text, so that nothing changes type on its way."""

    context: str
    """Context of the kubeconfig, which is an input of its own because it is secret."""
    namespace: str
    stack: str
    units: str
    """The units' StatefulSet; its pods are `<units>-0` and so on."""
    seeds: str
    discovery: str
    service: str
    """The client Service."""
    peer_service: str
    serving_label: str
    local_url: str
    """A member's client URL as seen from inside its own pod."""
    discovery_url: str
    """Client URL of the discovery service in the namespace."""

    @property
    def workloads(self) -> tuple[str, ...]:
        """The StatefulSets."""
        return self.units, self.seeds, self.discovery

    @property
    def identity(self) -> dict[str, str]:
        """Labels of every object of this stack."""
        return identity(self.units, self.stack)

    @property
    def connect(self) -> str:
        """The beginning of a command that runs etcdctl in a unit; what etcdctl is to do follows."""
        return self.etcdctl_in(f"{self.units}-0")

    def etcdctl_in(self, pod: str) -> str:
        """The same for a certain member's pod.

        The port may be another than etcdctl's default. It is no variable of the container: etcdctl
        ends where both a variable and an option name the endpoints (etcd: pkg/flags, verifyEnv).
        """
        return self._etcdctl(pod)

    @property
    def connect_and_type(self) -> str:
        """As `connect`, for what asks for a password."""
        return self._etcdctl(f"{self.units}-0", "-it")

    def _etcdctl(self, pod: str, *options: str) -> str:
        kubectl = ("kubectl", "--context", self.context, "-n", self.namespace)
        etcdctl = ("etcdctl", f"--endpoints={self.local_url}")
        return shlex.join((*kubectl, "exec", *options, pod, "--", *etcdctl))

    def owns(self, found: Any) -> bool:
        """Whether an object of Kubernetes is labelled as this stack's."""
        return self.identity.items() <= (found.metadata.labels or {}).items()

    def inputs(self) -> dict[str, str]:
        return asdict(self)

    @staticmethod
    def of(props: Mapping[str, Any]) -> Site:
        """Read the site back from a dynamic resource's properties."""
        found = props["site"]
        return Site(**{f.name: str(found[f.name]) for f in fields(Site)})
