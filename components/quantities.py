"""Kubernetes quantities as bytes, and etcd's quota from them. Pure.

Not the official client's parser: importing that package costs every `pulumi up` 0.2 s.
"""

from __future__ import annotations

import re

from components.settings import Settings

_SUFFIXES = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", start=1)},
}

LARGEST_QUOTA = 8 * 1024**3
"""etcd warns above it (etcd: dev-guide/limit.md)."""

DEFAULT_QUOTA = 2 * 1024**3
"""etcd's own default."""


def size_bytes(quantity: str) -> int:
    """Return `20Gi` as bytes. Raises ValueError for anything that is no size."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)", quantity)
    if match is None or match[2] not in _SUFFIXES:
        raise ValueError(f"{quantity!r} is no size; write it as 512Mi or 20Gi")
    return int(float(match[1]) * _SUFFIXES[match[2]])


def cpu_cores(quantity: str) -> float:
    """Return `500m` or `2` as cores. Raises ValueError for anything that is no such number."""
    milli = quantity.endswith("m")
    return float(quantity.removesuffix("m")) / (1000 if milli else 1)


def quota_bytes(settings: Settings) -> int:
    """etcd's backend quota: what the place for the data can hold twice, and log beside it.

    A defragmentation writes the database anew before it drops the old one.
    """
    if settings.storage.kind == "ephemeral":
        return DEFAULT_QUOTA
    memory = settings.storage.kind == "memory"
    place = settings.units.memory if memory else settings.storage.size
    return min(int(size_bytes(place) * 0.4), LARGEST_QUOTA)
