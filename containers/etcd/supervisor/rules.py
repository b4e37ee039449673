"""What may be done to a cluster, and what a member does when it starts. Pure functions.

One copy for everyone: the supervisor in the pods and the dynamic resources on the Pulumi side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from .birth_mark import is_of_cluster
from .membership import History, Member, Status, View, alarms, describe

SETTLE_SECONDS = 5.0
"""Unbroken health that every voter must show before the membership changes.

etcd's own `HealthInterval` (server/etcdserver/server.go). etcd asks it of a quorum only, and
guards quorum, not redundancy; we ask it of every voter.
"""

GATHER_SECONDS = 2.0
"""Health that the first of the learners must show before it votes.

Its vote is a change after which nobody may join for SETTLE_SECONDS. Units that start together see
the others settle up to a second apart; those who come a moment later are added before it.
"""

START_SECONDS = 10.0
"""How long a member that was added may take to start before the next one does."""

UNLISTED_SECONDS = 15.0
"""For how long the list must lack the ID of an etcd that runs before it is ended."""


# ---------------------------------------------------------------- changing the membership


def unsettled(view: View, history: History, now: float) -> str | None:
    """Why the membership must not change now, or None when every voter is settled."""
    if view.leader is None:
        return "no leader"
    sick = [m for m in view.voters if history.healthy_for(m, now) < 0]
    if sick:
        return f"not healthy: {describe(sick)}{alarms(view)}"
    young = [m for m in view.voters if history.healthy_for(m, now) < SETTLE_SECONDS]
    if young:
        left = SETTLE_SECONDS - min(history.healthy_for(m, now) for m in young)
        return (
            f"healthy for less than {SETTLE_SECONDS:.0f} s: {describe(young)} ({left:.1f} s left)"
        )
    return None


def spares(view: View, dead: Member, history: History, now: float) -> bool:
    """Whether a dead voter may be removed: the others lead, and those of them that are settled are
    a quorum without it. Others may be dead as well; each removal widens the margin."""
    settled = [
        m for m in view.voters if m != dead and history.healthy_for(m, now) >= SETTLE_SECONDS
    ]
    return view.leader is not None and len(settled) >= view.quorum


def of_unknown_age(view: View, history: History, now: float, peer_url: str) -> list[Member]:
    """The voters that the member at `peer_url` asks for how long they have been ready: those whose
    age matters, since each question is a connection. All of them where a break may have passed
    unseen, as between the rounds of a voter."""
    missed = history.may_have_missed(now)
    return [
        m
        for m in view.voters
        if m.id in view.statuses
        and m.peer_url != peer_url
        and (missed or history.healthy_for(m, now) < SETTLE_SECONDS)
    ]


def seconds_to_settle(members: Iterable[Member], history: History, now: float) -> float:
    """How long until all of them are settled, if nobody falls ill; 0 when they are, or when one is
    not healthy, since then nothing can be foretold."""
    ages = [history.healthy_for(m, now) for m in members]
    return 0.0 if not ages or min(ages) < 0 else max(0.0, SETTLE_SECONDS - min(ages))


def unready_to_vote(view: View, history: History, me: Member, now: float) -> str | None:
    """Why learner `me` must not be promoted now, or None.

    The first of the learners goes when it has caught up and those who came with it could join. Any
    other waits until it, and every learner that it sees, has shown the 5 s of a voter: of two
    learners that promote themselves at the same instant each is then a settled voter for the other.
    """
    blocked = unsettled(view, history, now)
    if blocked:
        return blocked
    age = history.healthy_for(me, now)
    if age < 0:
        return "catching up with the leader"
    if me == min(view.learners, key=lambda m: m.peer_url, default=me):
        left = GATHER_SECONDS - age
        return f"letting others join before the vote ({left:.1f} s left)" if left > 0 else None
    young = [m for m in view.learners if 0 <= history.healthy_for(m, now) < SETTLE_SECONDS]
    return f"healthy for less than {SETTLE_SECONDS:.0f} s: {describe(young)}" if young else None


# ---------------------------------------------------------------- starting a member


@dataclass(frozen=True)
class Disk:
    """What a member finds in its data directory."""

    data: bool
    """A write-ahead log is there: etcd has run on this disk."""
    cluster_id: int | None = None
    """From the identity file; None when the file is missing."""
    member_id: int | None = None
    peer_url: str | None = None
    """Whose disk it is: a member's address goes with its volume."""
    birth: str | None = None
    """The cluster's birth mark when this member began to vote."""
    revision: int | None = None
    """The cluster's revision at that moment. No cluster ever goes back behind it."""
    ended: bool = False
    """etcd has just ended by itself with exit code 0.

    It does when its ID was removed, but also for any answer 403, as whoever is at a peer's address
    gives to a message for another member (`Process` in server/etcdserver/server.go,
    `checkPostResponse` in server/etcdserver/api/rafthttp/util.go). Only the list knows.
    """


@dataclass(frozen=True)
class Start:
    """Run etcd on the data that is there. Its flags about the cluster are ignored by etcd."""


@dataclass(frozen=True)
class Join:
    """Add myself as a learner, then run etcd with the list as it is after that."""


@dataclass(frozen=True)
class Resume:
    """I am added, and my etcd has never run: run it under the ID that is listed."""

    member: Member


@dataclass(frozen=True)
class Replace:
    """My address is listed with an ID whose disk is lost: remove that ID, then join anew."""

    member: Member


@dataclass(frozen=True)
class SetAside:
    """I was removed while I was away, and am wanted: keep the old data aside, join anew."""


@dataclass(frozen=True)
class Wait:
    """Do nothing yet; look again soon."""

    reason: str


@dataclass(frozen=True)
class Refuse:
    """Run nothing and touch nothing until a person has looked."""

    reason: str


Decision = Start | Join | Resume | Replace | SetAside | Wait | Refuse


def unit_start(
    disk: Disk,
    view: View | None,
    peer_url: str,
    wanted: bool | None,
    birth: str | None = None,
) -> Decision:
    """What a unit does when it is not running etcd.

    `view` is None when the cluster does not answer through the Service; `wanted` is whether the
    StatefulSet wants this ordinal, None when that cannot be read (then nothing is changed);
    `birth` is the birth mark of the cluster that answers, None when it was not read.
    A unit never bootstraps: without data and without a cluster it waits.
    """
    if disk.data:
        return _with_data(disk, view, peer_url, wanted, birth)
    return _empty(disk, view, peer_url, wanted)


def _with_data(
    disk: Disk, view: View | None, peer_url: str, wanted: bool | None, birth: str | None
) -> Decision:
    if view is None:
        if disk.peer_url and _host(disk.peer_url) != _host(peer_url):
            return Refuse(f"the data here is of the member at {disk.peer_url}, not of this one")
        # After a full outage nobody answers before all have started: never wait for the Service.
        # An etcd that was removed ends again.
        return Start()
    other = another_cluster(disk, view, birth)
    if other:
        return Refuse(other)
    if may_go_on(disk, view, peer_url):
        return Start()
    if not wanted:
        return Wait("removed from the membership, and not known to be wanted again")
    if view.leader is None or (disk.birth and birth is None):
        return Wait("removed from the membership, and not sure that this is the same cluster")
    return SetAside()


def may_go_on(disk: Disk, view: View, peer_url: str) -> bool:
    """Whether etcd may run under this disk's ID, wanted or not.

    The list is linearizable, and no ID comes twice: one that is in it was not removed, however its
    etcd ended. Where the identity file is lost, etcd knows its ID, and ends with 0 if that was
    removed.
    """
    if disk.member_id is None:
        return not disk.ended
    mine = view.by_peer_url(peer_url)
    return mine is not None and mine.id == disk.member_id


def was_removed(disk: Disk, view: View, birth: str | None) -> bool:
    """Whether this disk's ID was removed from its own cluster, beyond doubt.

    Most etcds end by themselves then. One that was started again before it had applied anything
    knows no other member, so it asks nobody (`NewServer` in server/etcdserver/server.go takes its
    peers from what was applied), and nobody tells it.
    """
    return (
        disk.member_id is not None
        and disk.cluster_id == view.cluster_id
        and all(m.id != disk.member_id for m in view.members)
        and view.leader is not None
        and (birth is not None or not disk.birth)
        and another_cluster(disk, view, birth) is None
    )


def _host(url: str) -> str | None:
    """What stays as it is when certificates come."""
    return urlsplit(url).hostname


def another_cluster(disk: Disk, view: View, birth: str | None) -> str | None:
    """Why the cluster that answers cannot be the one that this disk belongs to, or None.

    Equal IDs prove nothing: wiped seeds that used one token twice have the same ID. The birth mark
    is written once, and the revision only grows. The mark is a key that clients can delete, and
    need not be there where the member of this disk is listed: its ID holds the time of its add
    (server/etcdserver/api/membership/member.go).
    """
    if disk.cluster_id is not None and disk.cluster_id != view.cluster_id:
        return (
            f"the data here belongs to cluster {disk.cluster_id:x}, "
            f"but the Service leads to cluster {view.cluster_id:x}"
        )
    listed = any(m.id == disk.member_id for m in view.members)
    if disk.birth and birth is not None and disk.birth != birth and not listed:
        return (
            f"the Service leads to cluster {view.cluster_id:x} with birth mark {birth or 'none'}, "
            f"but the data here belongs to the one with {disk.birth}"
        )
    leader = view.leader
    if disk.revision is None or leader is None:
        return None
    revision = view.statuses[leader.id].revision
    if revision < disk.revision:
        return (
            f"the cluster that answers is at revision {revision}, "
            f"but this disk has seen revision {disk.revision}: data was lost there"
        )
    return None


def mark_to_keep(disk: Disk, view: View, me: Member) -> str | None:
    """The birth mark that the leader's unit sees to, or None: that it has noted as the member that
    it is, and that names this cluster. One that was copied here with another cluster's keys, or
    has come with a restored snapshot, names that one."""
    mine = (disk.cluster_id, disk.member_id) == (view.cluster_id, me.id)
    if view.leader == me and mine and disk.birth and is_of_cluster(disk.birth, view.cluster_id):
        return disk.birth
    return None


def another_member(own: Status, cluster_id: int | None, member_id: int | None) -> str | None:
    """Why the etcd that runs is not the member that it should be, or None.

    It alone knows whose data it runs on: a snapshot that was restored by hand is a cluster of its
    own. `member_id`: None where nothing says which member it should be.
    """
    if member_id is None or (own.cluster_id, own.member_id) == (cluster_id, member_id):
        return None
    return (
        f"the data here is of member {own.member_id:x} of cluster {own.cluster_id:x}, "
        f"but this unit is member {member_id:x} of cluster {cluster_id or 0:x}"
    )


def unnamed_member(told: int | None, member_id: int | None) -> str | None:
    """The same where etcd tells its ID alone, `told`. It is enough: that of a unit holds the time
    of its add, and other data, such as a restored snapshot, is another member's."""
    if told is None or told == member_id:
        return None
    return f"the data here is of member {told:x}, but this unit is member {member_id or 0:x}"


def _empty(disk: Disk, view: View | None, peer_url: str, wanted: bool | None) -> Decision:
    if view is None:
        return Wait("no cluster answers at the Service")
    if wanted is None:
        return Wait("cannot read the StatefulSet, so not known to be wanted")
    if not wanted:
        return Wait("not wanted by the StatefulSet")
    mine = view.by_peer_url(peer_url)
    if mine is None:
        return Join()
    if not mine.started and (disk.cluster_id, disk.member_id) == (view.cluster_id, mine.id):
        # The identity file is on this very disk and that ID has never run: nothing can be lost.
        return Resume(mine)
    if mine.id in view.statuses:
        # Nobody answers for a disk that is lost: a pod whose node was cut off is back, maybe.
        return Wait(f"another process runs under this address, as {mine.hex_id}")
    return Replace(mine)


def blocked_from(
    step: Join | Resume | Replace, view: View, history: History, now: float
) -> str | None:
    """Why a joiner's step must wait, or None.

    Members that were added together start one after the other: a starting etcd asks every listed
    peer for its version, and two that ask each other wait out a time-out of 7 s. One that does
    not come within START_SECONDS is waited for no longer.

    A learner may always be removed, a dead voter while the others can spare it.
    """
    if isinstance(step, Join):
        return unsettled(view, history, now)
    if isinstance(step, Resume):
        earlier = [
            m
            for m in view.members
            if not m.started
            and m.peer_url < step.member.peer_url
            and history.sick_for(m, now) < START_SECONDS
        ]
        return f"starting before me: {describe(earlier)}" if earlier else None
    if step.member.learner:
        return None
    if spares(view, step.member, history, now):
        return None
    return f"too few settled voters beside {step.member.pod}"
