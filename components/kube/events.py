"""What Kubernetes' events say of pods that do not come. Pure.

Events that are the same are one with a count, and many that are similar become one that is called
combined (client-go: tools/record/events_cache.go).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from components.kube.claims import claim_name

_PULL_FAILED = "Failed to pull image"
"""The kubelet's words, of a pull that has ended (pkg/kubelet/images/image_manager.go)."""

_NO_NODE = "FailedScheduling"
"""The scheduler's reason for whatever keeps it from placing a pod, its volume included
(pkg/scheduler/schedule_one.go)."""


def failed_pulls(events: Iterable[Any]) -> dict[str, int]:
    """By unique ID of the pod, how often an image could not be pulled: of its container with which
    that was so most often."""
    counts: Counter[tuple[str, str | None]] = Counter()
    for event in events:
        if _PULL_FAILED in (event.message or ""):
            about = event.involved_object
            counts[str(about.uid), about.field_path] += event.count or 1
    most: dict[str, int] = {}
    for (uid, _container), count in counts.items():
        most[uid] = max(count, most.get(uid, 0))
    return most


def newest_warning(events: Iterable[Any], pod: Any) -> str | None:
    """What was said last of a pod that does not come, else of its volume's claim, in one line; None
    for nothing.

    `events`: warnings. Of a pod on a node nothing of what the scheduler has said, and nothing of
    its claim: why it had no node is over, and the claim is bound.
    """
    placed = pod.spec.node_name is not None
    found = list(events)
    told = [e for e in found if e.involved_object.uid == pod.metadata.uid]
    if placed:
        # Not by time: the scheduler may say so once more before it sees where the pod is.
        told = [e for e in told if e.reason != _NO_NODE]
    elif not told:
        told = [e for e in found if _is_of_claim(e, claim_name(pod.metadata.name))]
    newest = max(told, key=_when, default=None)
    return None if newest is None else " ".join(f"{newest.reason}: {newest.message}".split())


def _is_of_claim(event: Any, name: str) -> bool:
    about = event.involved_object
    return about.kind == "PersistentVolumeClaim" and about.name == name


def _when(event: Any) -> datetime:
    """The newer kind of event (events.k8s.io), which the scheduler makes, has other fields."""
    series = event.series.last_observed_time if event.series else None
    made = event.event_time or event.metadata.creation_timestamp
    return event.last_timestamp or series or made
