"""What Kubernetes' events say of pods that do not come. Pure.

Events that are the same are one with a count, and many that are similar become one that is called
combined (client-go: tools/record/events_cache.go).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

_PULL_FAILED = "Failed to pull image"
"""The kubelet's words, of a pull that has ended (pkg/kubelet/images/image_manager.go)."""


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
