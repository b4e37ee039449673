"""An etcd that would go on by itself, but much later than from a new start on its own disk.

A start again changes no membership, and none of these serves anybody at that moment.
"""

from __future__ import annotations

import time

from .etcdctl import answers
from .membership import Member, View
from .process import has_applied

MUTE_SECONDS = 1.0
"""How long an etcd that has joined and applied may take to serve clients."""
APART_SECONDS = 3.0
"""How long a voter may take to find the leader that it reaches: three election time-outs."""
RUN_SECONDS = 30.0
"""For how long etcd must have run: if a start did not help, another one soon will not either."""


class Lasting:
    """Whether something has been seen for so long without a break."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None

    def seen(self, holds: bool) -> bool:
        """Note what was seen now; True once it has lasted."""
        now = time.monotonic()
        self._since = (self._since or now) if holds else None
        return self._since is not None and now - self._since >= self._seconds


def mute(client_port: int, metrics_port: int) -> bool:
    """Whether an etcd that has just joined seems to wait for its own announcement in vain.

    It serves clients once it has applied the announcement of its address. Where that comes as a
    part of a snapshot, etcd does not notice, and repeats it after its time-out of 7 s (`publishV3`
    in server/etcdserver/server.go). A snapshot that is still on its way is waited for: nothing is
    applied then.
    """
    return not answers(f"http://127.0.0.1:{client_port}") and has_applied(metrics_port)


def apart(view: View, me: Member) -> bool:
    """Whether a voter does not know the leader although it reaches it.

    After a cut etcd stays on its connections of before, on which the kernel sends again after
    pauses that double: about as long as the cut was, up to two minutes
    (https://github.com/etcd-io/etcd/issues/18052).
    """
    leader = unknown_leader(view, me)
    return leader is not None and answers(leader.peer_url)


def unknown_leader(view: View, me: Member) -> Member | None:
    """The leader that others follow and that this voter does not know of; None if there is none."""
    own = view.statuses.get(me.id)
    return None if own is None or own.leader_id else view.leader
