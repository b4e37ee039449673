"""Dynamic resource `Scale`: owns the units' count once the cluster is balanced.

Up: new units join as learners, one membership change at a time, their pods starting in parallel.
Down: the highest ordinal first; health shown, leader moved away, member removed through another
one, pod ended, volume kept or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, UpdateResult

from components.dynamic.provider import Sequence
from components.dynamic.site import Site


class ScaleProvider(Sequence):
    """Brings the membership to the count; derived from what is there, so it resumes anywhere."""

    inputs = ("units",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Nothing: the handover before it has brought exactly these units."""
        site = Site.of(props)
        return CreateResult(id_=f"{site.namespace}/{site.units}", outs={**props, "proof": {}})

    def diff(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> DiffResult:
        """Work, too, where somebody else has scaled: `found` is the count that Kubernetes has.

        Shows the plan of the work. Raises SequenceError for one that must not be.
        """
        declared = super().diff(_id, _olds, _news)
        found, units = _news.get("found"), _news.get("units")
        drifted = isinstance(found, int | float) and found != units
        changes = bool(declared.changes or drifted)
        if changes:
            from components.dynamic.foretelling import foretell_scale  # noqa: PLC0415 - heavy

            foretell_scale(_news)
        return DiffResult(changes=changes)

    def update(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> UpdateResult:
        """Return when exactly the wanted units vote and no other pod is left."""
        from components.dynamic.scaling import rescale  # noqa: PLC0415 - kubernetes is heavy

        props = {**_olds, **_news}
        proof = rescale(Site.of(props), props)
        return UpdateResult(outs={**props, "found": props["units"], "proof": proof})

    def delete(self, _id: str, _props: Any) -> None:
        """Nothing: a destroy must not need a cluster that answers."""


class Scale(Resource, module="etcd", name="Scale"):
    """The units' count.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Scale``
    Deliberately absent: anything that a refresh would ask the cluster.
    """

    proof: pulumi.Output[dict[str, Any]]
    """Of the last change of the count: members, revision, receipt, at; empty before the first."""

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), units, found (the count that Kubernetes has), retain
        (volumes outlive a scale-down), min_tolerance, cluster_id, birth, floor (a revision that
        was reached already), timeout_seconds."""
        secret = pulumi.ResourceOptions(additional_secret_outputs=["kubeconfig"])
        super().__init__(
            ScaleProvider(),
            name,
            {**props, "proof": None},
            pulumi.ResourceOptions.merge(opts, secret),
        )
