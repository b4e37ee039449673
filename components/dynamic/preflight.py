"""Dynamic resource `Preflight`: what can be known to fail is told before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    UpdateResult,
)
from pulumi.output import Unknown

from components.dynamic.provider import DynamicProvider, KubernetesResource
from components.settings.immutable import refusal
from components.site import Site


class PreflightProvider(DynamicProvider):
    """Looks at the Kubernetes cluster and the discovery endpoint; changes nothing."""

    _amounts = (
        *("pods", "cpu", "memory", "volumes"),
        *("unit_pods", "unit_cpu", "unit_memory", "unit_volumes"),
    )
    inputs = (*_amounts, "storage_class", "storage", "version", "arch", "pull_secrets")

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse a change of what must stay as it is while the cluster exists, already in preview.

        Each of these would make another cluster in the place of this one, or take its members'
        addresses or volumes away.
        """
        reason = refusal(_olds.get("fixed") or {}, news["fixed"])
        # Without a property: the CLI would show that one's whole value.
        return CheckResult(news, [CheckFailure("", reason)] if reason else [])

    def diff(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> DiffResult:
        """Ask, too, whether etcd gets from what runs to another version in one step, and whether
        the database fits into a quota of etcd's that is lowered.

        Here, since the units' template comes after it. Raises SequenceError where it is not so.
        """
        declared = super().diff(_id, _olds, _news)
        if declared.changes and not isinstance(_news["kubeconfig"], Unknown):
            from components.change.preview import (  # noqa: PLC0415 - heavy
                preview_quota,
                preview_version,
            )

            if _olds.get("version") != _news["version"]:
                grows = _less(_news["unit_pods"], _olds.get("unit_pods", 0))
                preview_version(Site.of(_news), _news, grows=grows)
            if _lowered(_olds.get("quota"), _news.get("quota")):
                preview_quota(Site.of(_news), _news)
        return declared

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return if nothing stands in the way. Raises SequenceError with all that does."""
        from components.preflight.checks import check  # noqa: PLC0415 - kubernetes is heavy

        site = Site.of(props)
        check(site, props, first=True)
        return CreateResult(id_=f"{site.namespace}/{site.units}", outs=props)

    def update(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> UpdateResult:
        """Ask again, unless all that has changed is that less is wanted: that is there already.

        What is wanted now is noted in any case: the next growth is measured against it.
        """
        from components.preflight.checks import check  # noqa: PLC0415 - kubernetes is heavy

        changed = self.changed(_olds, _news)
        if not all(key in self._amounts and _less(_olds.get(key), _news[key]) for key in changed):
            check(Site.of(_news), _news, first=False)
        return UpdateResult(outs={**_news})


def _less(before: Any, now: Any) -> bool:
    return before is not None and float(now) < float(before)


def _lowered(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    """Perhaps, where a state of an older version of the program does not say how it was."""
    return bool(now) and (not before or now["bytes"] < before["bytes"])


class Preflight(KubernetesResource, module="etcd", name="Preflight"):
    """The gate in front of everything else.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Preflight``
    """

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), fixed (setting by key), version (of etcd),
        discovery_mode, discovery_url, seeds, arch (of the nodes that pods select by the image's
        platform; else empty), pull_secrets (names), and what the stack will ask for: pods, cpu,
        memory (quantities in all), priority_class (of all pods, if any), storage_class,
        own_storage_class (the stack brings it), storage (quantity of one volume), volumes (their
        number), quota (of etcd, see `room.require`); unit_pods, unit_cpu, unit_memory,
        unit_volumes: of that the units' part, which is what stays.
        """
        super().__init__(PreflightProvider(), name, props, opts)
