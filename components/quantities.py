"""What the settings' quantities come to: cores, etcd's quota, and how long its log grows. Pure."""

from __future__ import annotations

import math

from components.settings import Settings
from components.settings.syntax import milli_cores, size_bytes

LARGEST_QUOTA = 8 * 1024**3
"""etcd warns above it (etcd: dev-guide/limit.md)."""

LOG_BYTES = 6 * 64 * 1024**2
"""What etcd's write-ahead log takes beside what has come since the last snapshot: five files that
are kept and one that is prepared, of 64 MiB each (etcd: `--max-wals`; server/storage/wal/wal.go,
SegmentSizeBytes)."""

LARGEST_ENTRY = int(1.5 * 1024**2)
"""Of the log, in bytes: a request may not be larger (etcd: `--max-request-bytes`)."""

MOST_ENTRIES = 10_000
"""Between two snapshots: etcd's own default since 3.6."""

DEFAULT_QUOTA = 2 * 1024**3
"""etcd's own default."""

SHARE = 0.45
"""Of the place beside the log that a database may take. A defragmentation writes it anew before it
drops the old one."""


def cpu_cores(quantity: str) -> float:
    """Return `500m` or `2` as cores. Raises ValueError for anything that is no such number."""
    return milli_cores(quantity) / 1000


def canonical(quantity: str) -> str:
    """A number of bytes as the API server writes it: 1024Mi as 1Gi.

    Otherwise a preview with values that are not known yet would see a change of what may not be
    changed (apimachinery: pkg/api/resource/quantity.go, CanonicalizeBytes).
    """
    size = size_bytes(quantity)
    base, units = (1024, "KMGTPE") if quantity.endswith("i") else (1000, "kMGTPE")
    suffix = ""
    for unit in units:
        if size % base:
            break
        size //= base
        suffix = f"{unit}i" if base == 1024 else unit
    return f"{size}{suffix}"


def doubled(quantity: str) -> str:
    """Twice as many bytes, in whole MiB."""
    return canonical(f"{math.ceil(2 * size_bytes(quantity) / 1024**2)}Mi")


def quota_bytes(settings: Settings) -> int:
    """etcd's backend quota: what the place for the data can hold twice, and log beside it."""
    place = _place(settings)
    if place is None:
        return DEFAULT_QUOTA
    return min(int((place - LOG_BYTES) * SHARE), LARGEST_QUOTA)


def snapshot_count(settings: Settings) -> int:
    """After how many entries of its log etcd takes a snapshot, which lets older files of it go.

    Files with entries since the last snapshot stay, however many they are (ReleaseLockTo in
    server/storage/wal/wal.go). All members have the same log: where large values are written, all
    their disks would be full at the same moment.
    """
    place = _place(settings)
    if place is None:
        return MOST_ENTRIES
    return min(MOST_ENTRIES, (place - LOG_BYTES - quota_bytes(settings)) // LARGEST_ENTRY)


def place_bytes(quota: float) -> int:
    """The least place for the data that gives this quota."""
    return math.ceil(quota / SHARE) + LOG_BYTES


def _place(settings: Settings) -> int | None:
    """Bytes that there are for the data; None where that is a node's own disk."""
    if settings.storage.kind == "ephemeral":
        return None
    memory = settings.storage.kind == "memory"
    return size_bytes(settings.units.memory if memory else settings.storage.size)
