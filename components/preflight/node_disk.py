"""What a namespace's limits leave its pods of their nodes' disks, where the data is there. Pure.

Members declare no limit of `ephemeral-storage`, and are given the namespace's default one. Their
data counts against it (kubelet: podEphemeralStorageLimitEviction), and all members are as large:
they would be evicted within minutes of each other, and the cluster with them. A quota alone does no
harm: whoever has no limit counts for nothing there, and is not refused, as for processors and
memory he is (kubernetes: pkg/quota/v1/evaluator/core/pods.go, validationSet).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from components.sizing import DEFAULT_QUOTA, disk_for

RESOURCE = "ephemeral-storage"


def too_small(limits: Iterable[Any], props: Mapping[str, Any], *, birth: bool) -> list[str]:
    """Of each LimitRange that lets a member have less of the disk than etcd may come to take.

    `props`: the preflight's. `birth`: no cluster is there yet, whose kind of storage would have to
    stay as it is.
    """
    if props["fixed"].get("storage.kind") != "ephemeral":
        return []
    needed = disk_for(DEFAULT_QUOTA)
    instead = ", or: pulumi config set --path etcd:storage.kind persistent" if birth else ""
    return [
        f"LimitRange {limit.metadata.name} lets each {item.type} have at most {most} of its node's "
        f"disk ({RESOURCE}); etcd:storage.kind is ephemeral, whose members need up to "
        f"{math.ceil(needed / 2**20)}Mi there, and would be evicted with their data. Raise it to "
        f"that{instead}"
        for limit in limits
        for item in limit.spec.limits or []
        if (most := _most(item)) is not None and parse_quantity(most) < needed
    ]


def _most(item: Any) -> str | None:
    """A container is given the default, which is the largest where none is named
    (kubernetes: pkg/apis/core/v1/defaults.go)."""
    edges = {
        "Container": {**(item.max or {}), **(item.default or {})},
        "Pod": item.max or {},
    }
    return edges.get(item.type, {}).get(RESOURCE)
