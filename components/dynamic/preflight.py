"""Dynamic resource `Preflight`: what can be known to fail is told before anything is touched."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, Resource

from components.dynamic.provider import Sequence
from components.dynamic.site import Site

STACK = "stack"
"""The one among the fixed settings that is no config key: the stack's name."""


def _named(key: str) -> str:
    return "the stack's name" if key == STACK else f"etcd:{key}"


def _way_back(key: str, value: str) -> str:
    verb = "stack rename" if key == STACK else f"config set --path etcd:{key}"
    return f"pulumi {verb} {value}"


class PreflightProvider(Sequence):
    """Looks at the Kubernetes cluster and the discovery endpoint; changes nothing."""

    inputs = ("pods", "cpu", "memory", "storage_class", "storage", "volumes")

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse a change of what must stay as it is while the cluster exists, already in preview.

        Each of these would make another cluster in the place of this one, or take its members'
        addresses or volumes away.
        """
        old, new = _olds.get("fixed") or {}, news["fixed"]
        changed = [key for key in old if old[key] != new.get(key)]
        if not changed:
            return CheckResult(news, [])
        said = "; ".join(f"{_named(key)} goes from {old[key]} to {new.get(key)}" for key in changed)
        reason = (
            f"{said}: not possible while the cluster exists.\n"
            f"Next: {_way_back(changed[0], old[changed[0]])} "
            "(or give the cluster up first: pulumi destroy)"
        )
        # Without a property: the CLI would show that one's whole value.
        return CheckResult(news, [CheckFailure("", reason)])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return if nothing stands in the way. Raises SequenceError with all that does."""
        from components.dynamic.checks import check  # noqa: PLC0415 - kubernetes is heavy

        site = Site.of(props)
        check(site, props)
        return CreateResult(id_=f"{site.namespace}/{site.units}", outs=props)


class Preflight(Resource, module="etcd", name="Preflight"):
    """The gate in front of everything else.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Preflight``
    """

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), fixed (setting by key), discovery_mode,
        discovery_url, seeds, and what the stack will ask for: pods, cpu, memory (quantities in
        all), storage_class, storage (quantity of one volume), volumes (their number).
        """
        secret = pulumi.ResourceOptions(additional_secret_outputs=["kubeconfig"])
        super().__init__(
            PreflightProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret)
        )
