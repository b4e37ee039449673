"""Where a cluster lives: the plain values that every dynamic resource gets as input `site`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


def identity(units: str, stack: str) -> dict[str, str]:
    """The labels by which a stack's objects are told from all others, and which every selector
    holds. Selectors are immutable: no version in them."""
    return {"app.kubernetes.io/name": units, "app.kubernetes.io/instance": stack}


def kubectl(context: str, *arguments: str, kubeconfig: str | None = None) -> str:
    """A command for a person to type. Every one that is printed is made here: which cluster a
    shell's current context is of nobody knows.

    `kubeconfig`: as in the settings, where it is known. What is made by a resource has its content
    alone; there kubectl says that it has no such context, and touches nothing.
    """
    paths = [_typed(path) for path in (kubeconfig or "").split(os.pathsep) if path]
    command = shlex.join(("--context", context, *arguments))
    match paths:
        case []:
            return f"kubectl {command}"
        case [path]:
            return f"kubectl --kubeconfig {path} {command}"
        case _:  # of several the flag takes one alone
            return f"KUBECONFIG={os.pathsep.join(paths)} kubectl {command}"


def _typed(path: str) -> str:
    """A path as one word of a shell's, which itself finds the home folder. It is not written out:
    each of several people has another."""
    home, slash, rest = path.partition("/")
    if home.startswith("~"):
        return f"{home}{slash}{shlex.quote(rest) if rest else ''}"
    return shlex.quote(path)


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

    def kubectl(self, *arguments: str, kubeconfig: str | None = None) -> str:
        """See `kubectl`; in the cluster's namespace."""
        return kubectl(self.context, "-n", self.namespace, *arguments, kubeconfig=kubeconfig)

    def connect(self, kubeconfig: str | None = None) -> str:
        """The beginning of a command that runs etcdctl in a unit; what etcdctl is to do follows.

        `kubeconfig`: as in the settings, where it is known.
        """
        return self._etcdctl(f"{self.units}-0", kubeconfig=kubeconfig)

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

    def _etcdctl(self, pod: str, *options: str, kubeconfig: str | None = None) -> str:
        etcdctl = ("etcdctl", f"--endpoints={self.local_url}")
        return self.kubectl("exec", *options, pod, "--", *etcdctl, kubeconfig=kubeconfig)

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
