"""What fits into the settings' memory and disks: etcd's quota, its log, Go's heap. Pure."""

from __future__ import annotations

import math

from components.settings import Settings
from components.settings.quantity import size_bytes

LARGEST_QUOTA = 8 * 1024**3
"""etcd warns above it (etcd: dev-guide/limit.md)."""

LOG_BYTES = 6 * 64 * 1024**2
"""What etcd's write-ahead log takes beside what has come since the last snapshot: five files that
are kept and one that is prepared, of 64 MiB each (etcd: `--max-wals`; server/storage/wal/wal.go,
SegmentSizeBytes)."""

SPARE_LOG_BYTES = 2 * 64 * 1024**2
"""Of a volume: the new log of a member that comes back removed. Its old data is set aside, whole,
and goes when it votes again; the two databases have the room of a defragmentation."""

LEAST_FOR_PROCESSES = 192 * 1024**2
"""Of a unit's memory, where its data is in memory too. etcd at rest and the supervisor take some
65 MiB; etcd holds the newest entries of its log once more, and with 1.5 MiB each they are large."""

SUPERVISOR_BYTES = 32 * 1024**2
"""Of a container's memory, with what is run in it now and then (docs/measurements.md)."""

LARGEST_ENTRY = int(1.5 * 1024**2)
"""Of the log, in bytes: a request may not be larger (etcd: `--max-request-bytes`)."""

MOST_ENTRIES = 10_000
"""Between two snapshots: etcd's own default since 3.6."""

DEFAULT_QUOTA = 2 * 1024**3
"""etcd's own default."""

SHARE = 0.45
"""Of the place beside the log that a database may take. A defragmentation writes it anew before it
drops the old one."""


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


def memory_for(quota: float) -> int:
    """The least units.memory in bytes that gives this quota, where data is in memory."""
    place = math.ceil(quota / SHARE) + LOG_BYTES
    return max(place + LEAST_FOR_PROCESSES, math.ceil(place * 4 / 3))


def disk_for(quota: float) -> int:
    """The least that a member with this quota may need of a disk, in bytes."""
    return math.ceil(quota / SHARE) + LOG_BYTES + SPARE_LOG_BYTES


def heap_bytes(memory: str, *, holds_data: bool) -> int:
    """What Go may take in a container of this memory before it collects its garbage all the time.

    Left alone it lets the heap grow to twice of what lives in it, and is killed where that is more
    than there is (https://go.dev/doc/gc-guide#Memory_limit, whose 10 % stay free here).
    """
    size = size_bytes(memory)
    return ((_for_processes(size) if holds_data else size) - SUPERVISOR_BYTES) * 9 // 10


def _for_processes(memory: int) -> int:
    return max(LEAST_FOR_PROCESSES, memory // 4)


def _place(settings: Settings) -> int | None:
    """Bytes that there are for the data; None where that is a node's own disk."""
    if settings.storage.kind == "ephemeral":
        return None
    if settings.storage.kind == "persistent":
        return size_bytes(settings.storage.size) - SPARE_LOG_BYTES
    memory = size_bytes(settings.units.memory)
    return memory - _for_processes(memory)
