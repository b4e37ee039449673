"""What a unit does before it stops, and which members nobody will bring back. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from .membership import History, Member, View, describe
from .rules import Wait, spares, unsettled

ORPHAN_SECONDS = 60.0
"""For how long a member must have been away before others remove it. Longer than any restart."""


FAR_ENTRIES = 1000
"""Behind the leader's log. A follower with a disk as quick as the leader's never is, at the rates
that etcd is made for; etcd itself gives a transfer of the leadership up after one second."""


@dataclass(frozen=True)
class Stop:
    """End etcd. The membership stays as it is."""


@dataclass(frozen=True)
class MoveLeader:
    target: Member


@dataclass(frozen=True)
class Leave:
    """Remove my own entry, through another member; then end etcd."""

    member: Member


Step = Stop | MoveLeader | Leave | Wait


def before_stop(
    view: View | None,
    history: History,
    now: float,
    me: tuple[str, str],
    wanted: bool | None,
) -> Step:
    """Return the next step of a unit that has been told to stop.

    `me`: name of my StatefulSet and my peer URL. `wanted`: whether the StatefulSet still wants my
    ordinal; None when it is gone, going or cannot be read. Only a clear no is a scale-down; every
    other stop is a restart, which never changes the membership.
    """
    stateful_set, peer_url = me
    if view is None:
        # Whoever stays listed counts for the quorum of those that stay, and for ever.
        return Wait("no member answers") if wanted is False else Stop()
    mine = view.by_peer_url(peer_url)
    if mine is None:
        return Stop()
    if wanted is not False:
        return _hand_over(view, mine, stateful_set) or Stop()
    if mine.learner:
        return Leave(mine)
    if len(view.voters) == 1:
        return Stop()  # etcd never removes its last member
    own = mine.ordinal_in(stateful_set) or 0
    later = [m for m in view.members if (m.ordinal_in(stateful_set) or 0) > own]
    if any(m.id in view.statuses for m in later):
        return Wait(f"the highest ordinal leaves first: {describe(later)}")
    blocked = unsettled(view, history, now)
    if blocked:
        return Wait(blocked)
    return _hand_over(view, mine, stateful_set) or Leave(mine)


def _hand_over(view: View, mine: Member, stateful_set: str) -> MoveLeader | None:
    """Leadership goes to the lowest ordinal that answers, which is the last to leave; to a seed
    only where no other unit does, and to one that is far behind only where no other is not: all
    writes would wait for it."""
    if view.leader != mine:
        return None
    others = [m for m in view.voters if m != mine and m.id in view.statuses]
    ordinals = {m: m.ordinal_in(stateful_set) for m in others}
    units = [m for m in others if ordinals[m] is not None] or others
    least_index = (view.leader_index or 0) - FAR_ENTRIES
    to = min(
        units,
        key=lambda m: (view.statuses[m.id].applied_index < least_index, ordinals[m] or 0),
        default=None,
    )
    return None if to is None else MoveLeader(to)


def abandoned(
    view: View, history: History, now: float, stateful_set: str, me: Member
) -> Member | None:
    """A member of my StatefulSet that has been away for too long, if the leader's unit may ask.

    Only the leader's unit looks, so that there is one who does it. Whether Kubernetes still wants
    that ordinal is asked after this: it alone decides (a pod that is wanted comes back by itself).
    A voter goes only while the others can spare it; one that answers is not away, however late its
    log is: it leaves by itself.
    """
    if view.leader != me:
        return None
    away = [
        m
        for m in view.members
        if m.ordinal_in(stateful_set) is not None
        and m.id not in view.statuses
        and history.sick_for(m, now) >= ORPHAN_SECONDS
    ]
    for member in sorted(away, key=lambda m: m.ordinal_in(stateful_set) or 0, reverse=True):
        if member.learner:
            return member
        if spares(view, member, history, now):
            return member
    return None
