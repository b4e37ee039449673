"""Dynamic resource `Rollout`: brings a changed pod template to the units, one at a time.

The StatefulSet's update strategy is OnDelete: Kubernetes' own rolling update knows neither who
leads nor who has caught up, and goes by ordinal alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource

from components.dynamic.provider import Sequence
from components.dynamic.site import Site


class RolloutProvider(Sequence):
    """Restarts what is not of the declared template; derived from the pods that are there."""

    inputs = ("template",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return when every unit runs with the declared template and votes.

        On a first `up` all do, unless an earlier one was cut off and the template changed since.
        """
        from components.dynamic.rolling import roll  # noqa: PLC0415 - kubernetes is heavy

        site = Site.of(props)
        outs = {**props, "proof": roll(site, props)}
        return CreateResult(id_=f"{site.namespace}/{site.units}", outs=outs)

    def diff(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> DiffResult:
        """Shows the plan, where there is work. Raises SequenceError for one that must not be."""
        declared = super().diff(_id, _olds, _news)
        if declared.changes:
            from components.dynamic.foretelling import foretell_restarts  # noqa: PLC0415 - heavy

            foretell_restarts(_news)
        return declared

    def delete(self, _id: str, _props: Any) -> None:
        """Nothing: a destroy must not need a cluster that answers."""


class Rollout(Resource, module="etcd", name="Rollout"):
    """The units' rolling change.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Rollout``
    """

    proof: pulumi.Output[dict[str, Any]]
    """Of the last rolling change: members, revision, receipt, at; empty before the first."""

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), template (what tells one pod template from another),
        units, min_tolerance, cluster_id, birth, floor (a revision that was reached already),
        timeout_seconds."""
        secret = pulumi.ResourceOptions(additional_secret_outputs=["kubeconfig"])
        super().__init__(
            RolloutProvider(),
            name,
            {**props, "proof": None},
            pulumi.ResourceOptions.merge(opts, secret),
        )
