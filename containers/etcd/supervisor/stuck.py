"""An etcd that would go on by itself, but much later than from a new start on its own disk.

A start again changes no membership, and none of these serves anybody at that moment.
"""

from __future__ import annotations

from collections.abc import Collection

from .etcdctl import answers
from .membership import NO_LEADER, Member, Status, View
from .metrics import has_applied

APART_SECONDS = 1.0
"""How long a voter that is not ready may stay apart from a leader that it reaches: an election
time-out, after the 7 s in which its readiness was not answered."""
BACKLOG = 100
"""Entries that etcd has and has not applied; with more it is busy, not stuck."""


class Patience:
    """When a voter that is apart is started again: once, and only if it was ready before.

    One that has not been ready since its start has its own reasons, and where a start did not help
    another will not. Times are seconds of one monotonic clock.
    """

    def __init__(self) -> None:
        self._was_ready = False
        self._apart_since: float | None = None

    def note_ready(self) -> None:
        self._was_ready, self._apart_since = True, None

    @property
    def is_needed(self) -> bool:
        """Whether it is worth asking how a voter that is not ready is."""
        return self._was_ready

    def is_over(self, apart: bool, now: float) -> bool:
        """Whether it has been apart for APART_SECONDS without a break."""
        self._apart_since = (self._apart_since or now) if apart else None
        return self._apart_since is not None and now - self._apart_since >= APART_SECONDS


def mute(view: View, me: Member, metrics_port: int) -> bool:
    """Whether an etcd that has just joined waits for its own announcement in vain.

    It serves clients once it has applied the announcement of its address. Where that comes as a
    part of the snapshot that every joiner is sent, etcd does not notice, and repeats it after its
    time-out of 7 s (`publishV3` in server/etcdserver/server.go). A snapshot that is still on its
    way is waited for: nothing is applied then. `view` has waited for an answer for a second.
    """
    return me.started and me.id not in view.statuses and has_applied(metrics_port)


def apart(view: View, me: Member) -> bool:
    """Whether a voter that refuses to be ready reaches the leader and does not follow it.

    After a cut etcd stays on its connections of before, one or both ways, and on these the kernel
    sends again after pauses that double: about as long as the cut was, up to two minutes
    (https://github.com/etcd-io/etcd/issues/18052, https://github.com/etcd-io/etcd/issues/19143).
    """
    leader = leader_to_follow(view, me)
    return leader is not None and answers(leader.peer_url)


def leader_to_follow(view: View, me: Member) -> Member | None:
    """The leader whom this voter would follow if it only heard of it; None if nobody leads, or it
    has another reason for not being ready."""
    own = view.statuses.get(me.id)
    return None if own is None or _busy(own) or view.leader == me else view.leader


def leaderless(voters: Collection[Member], me: Member, own: Status) -> bool:
    """Whether nobody leads although this voter reaches a majority: the same after a cut between
    all, when no voter hears another.

    `voters`: as they were last seen. An election takes one or two seconds.
    """
    if own.leader_id or _busy(own):
        return False
    reached = sum(m.id == me.id or answers(m.peer_url) for m in voters)
    return reached > len(voters) // 2


def _busy(own: Status) -> bool:
    """Whether it has a reason of its own: an alarm, or entries to apply."""
    alarms = [error for error in own.errors if error != NO_LEADER]
    return bool(alarms) or own.raft_index - own.applied_index > BACKLOG
