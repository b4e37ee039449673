"""What etcd's own figures say, on its metrics port. They come although its database is locked."""

from __future__ import annotations

import re

from .http_get import http_get


def has_applied(metrics_port: int) -> bool:
    """Whether the etcd whose metrics are there has applied anything, be it a snapshot."""
    return (value(metrics_port, "etcd_server_proposals_applied_total") or 0) > 0


def defragments(metrics_port: int) -> bool:
    """Whether that etcd rewrites its database. Meanwhile it answers no read, /livez and /readyz
    neither, and it takes as long as the disk needs (`defrag` in server/storage/backend/backend.go).
    """
    return value(metrics_port, "etcd_disk_defrag_inflight") == 1


def value(metrics_port: int, name: str) -> float | None:
    """One figure; None where it is not told."""
    try:
        page = http_get("127.0.0.1", metrics_port, "/metrics", 1)[1]
    except OSError:
        return None
    found = re.search(rb"^%b (\S+)$" % name.encode(), page, re.MULTILINE)
    return None if found is None else float(found[1])
