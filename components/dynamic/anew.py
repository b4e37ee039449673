"""Pods that an older template keeps from starting: they are made anew.

Kubernetes makes them from the template of now, but would itself wait for ever until they are ready
(StatefulSet: "Forced rollback").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from components.dynamic.kube import Kube
from components.dynamic.pods import stuck
from components.dynamic.progress import Progress


def make_anew(
    kube: Kube,
    pods: Iterable[Any],
    newest: str,
    voters: Collection[str] | None,
    progress: Progress,
) -> list[Any]:
    """Delete those of these pods that are stuck and take no data along; returns them.

    `newest`: Kubernetes' name for the template of now. `voters`: see `pods.may_be_made_anew`.
    """
    found = stuck(pods, newest, voters)
    for pod in found:
        kube.delete_pod(pod)
    if found:
        names = ", ".join(pod.metadata.name for pod in found)
        progress.say(f"made anew, since its template was corrected: {names}")
    return found
