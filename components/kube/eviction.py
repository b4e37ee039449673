"""What Kubernetes answers to an eviction: an end of a pod that its budget must allow. Pure.

A plain deletion counts only once the budget's controller has seen it, and until then a drain that
waits may evict another pod. An eviction is checked and counted by the API server in one step
(kubernetes: pkg/registry/core/pod/storage/eviction.go).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from kubernetes.client import ApiException

from components.kube.errors import told_by
from components.progress import SequenceError
from components.site import Site

_SEVERAL = "more than one PodDisruptionBudget"
"""In Kubernetes' own words about a pod that has more, which is evicted for nobody."""


class DeferredError(Exception):
    """The pod may not end now. The text says why; asked again later, the answer may be another."""


def request(pod: Any) -> Mapping[str, Any]:
    """Of this very pod: see `Kube.delete_pod`."""
    return {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.metadata.name},
        "deleteOptions": {"preconditions": {"uid": pod.metadata.uid}},
    }


def require_done(answer: Mapping[str, Any]) -> None:
    """Raise ApiException for a refusal that came with 201.

    So that of several budgets does: it is returned, not raised, and what a creation returns is
    sent with 201 (apiserver: pkg/endpoints/handlers/create.go). kubectl looks into it for its
    status; the official client takes it for an Eviction.
    """
    if answer.get("status") == "Failure":
        error = ApiException(answer.get("code"), answer.get("reason"))
        error.body = json.dumps(answer)
        raise error


def require_no_budget(error: ApiException, site: Site, pod: str) -> None:
    """Raise DeferredError for a refusal that may pass, and SequenceError for that of several
    budgets. Any other is none of an eviction's own."""
    said = told_by(error)
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        # Others answer so, too: an API server that is busy, a webhook that moves the pod itself.
        why = _causes(error)
        raise DeferredError(
            f"the PodDisruptionBudget allows no disruption now: {'; '.join(why)}"
            if why
            else f"Kubernetes does not evict {pod} for now: {said}"
        ) from None
    if _SEVERAL in said:
        raise SequenceError(
            f"Kubernetes evicts pod {pod} for nobody (context {site.context}, namespace "
            f"{site.namespace}): {said}",
            f"let only PodDisruptionBudget {site.units} select the pods of StatefulSet "
            f"{site.units}, then pulumi up",
        ) from None


def _causes(error: ApiException) -> list[str]:
    """What the budget that stands against it says of itself."""
    try:
        causes = json.loads(error.body or "")["details"]["causes"]
        return [c["message"] for c in causes if c["reason"] == "DisruptionBudget"]
    except (ValueError, KeyError, TypeError):
        return []
