"""Dynamic resource `Rollout`: brings a changed pod template to the units, one at a time.

The StatefulSet's update strategy is OnDelete: Kubernetes' own rolling update knows neither who
leads nor who has caught up, and goes by ordinal alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, UpdateResult

from components.dynamic.provider import DynamicProvider, KubernetesResource
from components.site import Site


class RolloutProvider(DynamicProvider):
    """Restarts what is not of the declared template; derived from the pods that are there."""

    inputs = ("template",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return when every unit runs with the declared template and votes.

        On a first `up` all do, unless an earlier one was cut off: the template may have changed
        since, and a unit that was recreated may not come with it.
        """
        site = Site.of(props)
        outs = self._rolled(props, resumed=False)
        return CreateResult(id_=f"{site.namespace}/{site.units}", outs=outs)

    def diff(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> DiffResult:
        """Work, too, where an earlier sequence was cut off, whichever: a unit may run with a
        template that was taken back, also one that came up while the count was changed.

        Shows the plan of the work. Raises SequenceError for one that must not be.
        """
        declared = super().diff(_id, _olds, _news)
        unfinished = _news.get("unfinished")
        # Not known in every preview.
        resumed = isinstance(unfinished, list) and bool(unfinished)
        if declared.changes or resumed:
            from components.change.preview import (  # noqa: PLC0415 - heavy
                preview_restarts,
                preview_unfinished_restarts,
            )

            if declared.changes:
                preview_restarts(_news)
            else:
                known = _olds.get("controller_revision")
                preview_unfinished_restarts(_news, known)
        return DiffResult(changes=bool(declared.changes or resumed))

    def update(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> UpdateResult:
        """As `create`; after a cut with the template as it was it leaves alone what has it."""
        resumed = not self.changed(_olds, _news)
        return UpdateResult(outs=self._rolled({**_olds, **_news}, resumed=resumed))

    def _rolled(self, props: Mapping[str, Any], *, resumed: bool) -> dict[str, Any]:
        """Change the template; return the outputs."""
        from components.change.rollout import roll  # noqa: PLC0415 - kubernetes is heavy

        return {**props, "unfinished": [], **roll(Site.of(props), props, resumed=resumed)}

    def delete(self, _id: str, _props: Any) -> None:
        """Nothing: a destroy must not need a cluster that answers."""


class Rollout(KubernetesResource, module="etcd", name="Rollout"):
    """The units' rolling change.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Rollout``
    """

    proof: pulumi.Output[dict[str, Any]]
    """Of the last rolling change: members, revision, receipt, at; empty before the first."""

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), template (what tells one pod template from another),
        quota (see `room.require`), unfinished (sequences that were cut off), units, min_tolerance,
        cluster_id, birth, floor (a revision that was reached already), timeout_seconds."""
        super().__init__(RolloutProvider(), name, props, opts, outputs=("proof",))
