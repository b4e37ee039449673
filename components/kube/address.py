"""The wait behind `Address`: until the client Service has an address outside Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from components.kube.client import Kube
from components.kube.errors import plain_errors
from components.progress import Progress, Unmet
from components.site import Site

POLL_SECONDS = 1.0
"""Clouds take a minute or so."""


def wait_for_host(site: Site, props: Mapping[str, Any]) -> str:
    """Return the address. Raises SequenceError at the deadline (`timeout_seconds`)."""
    with plain_errors(site):
        kube = Kube(str(props["kubeconfig"]), site)
        progress = Progress.of("address", props)
        host = progress.wait(
            f"an address of Service {site.service}",
            partial(_look, kube),
            f"{site.kubectl('describe', 'service', site.service)} (docs/runbook.md: no address)",
            poll_seconds=POLL_SECONDS,
        )
        progress.say(f"Service {site.service} is reached at {host}")
    return host


def _look(kube: Kube) -> str | Unmet:
    name, namespace = kube.site.service, kube.site.namespace
    host = host_of(kube.core.read_namespaced_service(name, namespace))
    if host is not None:
        return host
    warnings = kube.core.list_namespaced_event(
        namespace,
        field_selector=f"involvedObject.kind=Service,involvedObject.name={name},type=Warning",
    ).items
    why = f" ({warnings[-1].message})" if warnings else ""
    return Unmet(f"no load balancer has given it one{why}")


def host_of(service: Any) -> str | None:
    """The first address that a load balancer has given; None if there is none yet. Pure.

    As Pulumi's own wait has it: an IP address or a host name (Kubernetes: LoadBalancerIngress).
    """
    balancer = service.status.load_balancer if service.status else None
    given = (balancer.ingress if balancer else None) or []
    return next((entry.ip or entry.hostname for entry in given if entry.ip or entry.hostname), None)
