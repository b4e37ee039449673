"""Dynamic resource `Scale`: owns the units' count once the cluster is balanced.

Up: new units join as learners, one membership change at a time, their pods starting in parallel.
Down: the highest ordinal first; health shown, leader moved away, member removed through another
one, pod ended, volume kept or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, UpdateResult

from components.dynamic.provider import DynamicProvider, KubernetesResource
from components.names import SCALE
from components.site import Site


class ScaleProvider(DynamicProvider):
    """Brings the membership to the count; derived from what is there, so it resumes anywhere."""

    # `found` and `unfinished` tell how it is, not what is wanted.
    inputs = ("units",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return when exactly the wanted units vote.

        The handover before it has brought them, unless it has ended in an earlier `up`, which was
        cut off then: the count may have been changed since. Without a diff the plan is shown here.
        """
        from components.change.scale import is_due  # noqa: PLC0415 - kubernetes is heavy

        site, outs = Site.of(props), {**props, "proof": {}}
        if is_due(site, props):
            from components.change.preview import preview_scale  # noqa: PLC0415 - heavy

            preview_scale(props)
            outs = self._rescaled(props, resumed=False)
        return CreateResult(id_=f"{site.namespace}/{site.units}", outs=outs)

    def diff(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> DiffResult:
        """Work, too, where somebody else has scaled, and where an earlier scale was cut off.

        `found` is the count that Kubernetes has. What a rolling change has left is none of its
        business: a unit that is down may wait for that one, which comes after this. Shows the plan
        of the work. Raises SequenceError for one that must not be.
        """
        wanted = self._is_wanted(_olds, _news)
        unfinished = _news.get("unfinished")
        # Neither is known in every preview.
        changes = wanted or (isinstance(unfinished, list) and SCALE in unfinished)
        if changes:
            from components.change.preview import preview_scale  # noqa: PLC0415 - heavy

            preview_scale(_news, resumed=not wanted)
        return DiffResult(changes=changes)

    def _is_wanted(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
        """Whether the count is another than it was, or than Kubernetes has."""
        found = news.get("found")
        drifted = isinstance(found, int | float) and found != news.get("units")
        return drifted or bool(self.changed(olds, news))

    def update(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> UpdateResult:
        """Return when exactly the wanted units vote and no other pod is left."""
        resumed = not self._is_wanted(_olds, _news)
        return UpdateResult(outs=self._rescaled({**_olds, **_news}, resumed=resumed))

    def _rescaled(self, props: Mapping[str, Any], *, resumed: bool) -> dict[str, Any]:
        """Change the count; return the outputs."""
        from components.change.scale import rescale  # noqa: PLC0415 - kubernetes is heavy

        proof = rescale(Site.of(props), props, resumed=resumed)
        return {**props, "found": props["units"], "unfinished": [], "proof": proof}

    def delete(self, _id: str, _props: Any) -> None:
        """Nothing: a destroy must not need a cluster that answers."""


class Scale(KubernetesResource, module="etcd", name="Scale"):
    """The units' count.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Scale``
    Deliberately absent: anything that a refresh would ask the cluster.
    """

    proof: pulumi.Output[dict[str, Any]]
    """Of the last change of the count: members, revision, receipt, at; empty before the first."""

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), units, found (the count that Kubernetes has),
        unfinished (sequences that were cut off), retain (volumes outlive a scale-down),
        min_tolerance, version (of etcd), cluster_id, birth, floor (a revision that was reached
        already), timeout_seconds."""
        super().__init__(ScaleProvider(), name, props, opts, outputs=("proof",))
