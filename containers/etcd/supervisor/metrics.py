"""What etcd's own figures say, on its metrics port. They come although its database is locked."""

from __future__ import annotations

import re

from .http_get import http_get


def has_applied(metrics_port: int) -> bool:
    """Whether the etcd whose metrics are there has applied anything, be it a snapshot."""
    return (value(metrics_port, "etcd_server_proposals_applied_total") or 0) > 0


def occupied(metrics_port: int) -> bool:
    """Whether that etcd rewrites its database, or loads the one that its leader has sent.

    Meanwhile it answers no read, /livez and /readyz neither, and it takes as long as disk and
    processor need (`defrag` in server/storage/backend/backend.go, `Restore` in
    server/storage/mvcc/kvstore.go).
    """
    works = ("etcd_disk_defrag_inflight", "etcd_server_snapshot_apply_in_progress_total")
    page = _page(metrics_port)
    return any(_figure(page, name) == 1 for name in works)


def member_id(metrics_port: int) -> int | None:
    """Which member that etcd is; None where it does not tell.

    The figure is 1, and the label is the ID (`etcd_server_id` in server/etcdserver/metrics.go, the
    same from 3.5 to 3.7). It comes whoever asks, also while the client port wants a user's name.
    """
    found = re.search(rb'^etcd_server_id\{server_id="([0-9a-f]+)"\} 1$', _page(metrics_port), re.M)
    return None if found is None else int(found[1], 16)


def value(metrics_port: int, name: str) -> float | None:
    """One figure; None where it is not told."""
    return _figure(_page(metrics_port), name)


def _page(metrics_port: int) -> bytes:
    """All figures; none where they do not come."""
    try:
        return http_get("127.0.0.1", metrics_port, "/metrics", 1)[1]
    except OSError:
        return b""


def _figure(page: bytes, name: str) -> float | None:
    found = re.search(rb"^%b (\S+)$" % name.encode(), page, re.MULTILINE)
    return None if found is None else float(found[1])
