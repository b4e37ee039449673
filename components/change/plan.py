"""What brings the membership to exactly the wanted units: handover and scale, up and down. Pure.

The next step is derived from the live membership each time, never from a stored step number, so
a sequence that was cut off anywhere goes on from what is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from containers.etcd.supervisor.membership import History, Member, View, alarms, describe
from containers.etcd.supervisor.rules import Wait, spares, unsettled

DEAD_SECONDS = 15.0
"""A leaving member that has not been healthy for this long counts as dead. Longer than any restart
of a container in a pod that still lives."""


@dataclass(frozen=True)
class Goal:
    """What a sequence works towards."""

    seeds: str
    """Name of the seeds' StatefulSet: a member is a seed if its pod is `<seeds>-<ordinal>`."""
    units: str
    """Name of the units' StatefulSet."""
    count: int
    """Units that are wanted: ordinals 0 to count - 1."""

    @property
    def pods(self) -> tuple[str, ...]:
        return tuple(f"{self.units}-{i}" for i in range(self.count))

    def is_seed(self, member: Member) -> bool:
        return member.ordinal_in(self.seeds) is not None

    def surplus(self, member: Member) -> bool:
        """Whether it is a unit that is not wanted any more."""
        ordinal = member.ordinal_in(self.units)
        return ordinal is not None and ordinal >= self.count


@dataclass(frozen=True)
class Workload:
    """The units' StatefulSet and the pods, as Kubernetes has them."""

    replicas: int
    leaving: int | None
    """The ordinal that is announced as leaving: it does not join again."""
    pods: frozenset[int]
    """Ordinals of the units' pods that exist."""
    serving_seeds: bool
    """Whether the client Service still selects a seed."""


@dataclass(frozen=True)
class StopServing:
    """Take the seeds out of the client Service, before the first of them goes."""


@dataclass(frozen=True)
class Announce:
    """Tell all supervisors which ordinal is leaving; None: none is any more."""

    ordinal: int | None


@dataclass(frozen=True)
class MoveLeader:
    leader: Member
    target: Member


@dataclass(frozen=True)
class Remove:
    member: Member


@dataclass(frozen=True)
class Resize:
    """Set the replica count: all at once when growing, one by one when shrinking."""

    replicas: int


@dataclass(frozen=True)
class Done:
    pass


Change = StopServing | Announce | MoveLeader | Remove | Resize
Step = Change | Wait | Done


def next_step(goal: Goal, view: View, history: History, now: float, workload: Workload) -> Step:
    """Return the one next step.

    Guards redundancy, where etcd guards only quorum (with a unit dead, etcd would let all seeds
    go): a living member is removed only while all wanted units vote and every voter is settled.
    `view`: all members are seeds or units, since a sequence ends beside others (`strangers`).
    """
    first = bring_back(goal, workload)
    if first is not None:
        return first
    leaving = [m for m in view.members if goal.is_seed(m) or goal.surplus(m)]
    dead = _dead(leaving, view, history, now)
    if dead is not None:
        return _removal(goal, dead, workload)
    voters = {m.pod for m in view.voters}
    missing = [pod for pod in goal.pods if pod not in voters]
    if missing:
        return Wait(f"not voters yet: {', '.join(missing)}")
    if leaving or workload.replicas > goal.count:
        return _shrink(goal, view, history, now, workload)
    if view.learners:
        return Wait(f"a learner is still joining: {view.learners[0].pod}")
    sick = [m for m in view.voters if history.healthy_for(m, now) < 0]
    if view.leader is None or sick:
        return Wait(f"not healthy: {describe(sick)}{alarms(view)}" if sick else "no leader")
    ending = [p for p in sorted(workload.pods) if p >= goal.count]
    if ending:
        return Wait(f"pods are ending: {', '.join(f'{goal.units}-{p}' for p in ending)}")
    return Done() if workload.leaving is None else Announce(None)


def reached(goal: Goal, view: View, workload: Workload) -> bool:
    """Whether nothing of a change of the count is left to be done, however well the members are."""
    return (
        {m.pod for m in view.voters} == set(goal.pods)
        and not view.learners
        and workload.replicas == goal.count
        and workload.leaving is None
        and all(ordinal < goal.count for ordinal in workload.pods)
    )


def bring_back(goal: Goal, workload: Workload) -> Announce | Resize | None:
    """What is to be done for units that are wanted and not there. Needs no cluster that answers:
    after a scale by hand these units may be the quorum that is missing."""
    if workload.leaving is not None and workload.leaving < goal.count:
        # Left by a scale-down that was cut off; that unit is wanted again, and must know.
        return Announce(None)
    return Resize(goal.count) if workload.replicas < goal.count else None


def _shrink(goal: Goal, view: View, history: History, now: float, workload: Workload) -> Step:
    """Seeds first, then surplus units, the highest ordinal first; one at a time."""
    blocked = unsettled(view, history, now)
    if blocked:
        return Wait(blocked)
    joining = [m for m in view.learners if not goal.surplus(m)]
    if joining:
        return Wait(f"a learner is still joining: {joining[0].pod}")
    seeds = [m for m in view.members if goal.is_seed(m)]
    if seeds:
        if goal.count < len(seeds):
            return Wait(f"{goal.count} units cannot take over from {len(seeds)} seeds")
        if workload.serving_seeds:
            return StopServing()
        return _move(goal, view, seeds) or Remove(seeds[0])
    top = workload.replicas - 1
    listed = [m for m in view.members if goal.surplus(m)]
    higher = [m for m in listed if (m.ordinal_in(goal.units) or 0) > top]
    if higher:
        return Wait(f"leaving by itself: {describe(higher)}")
    mine = next((m for m in listed if m.ordinal_in(goal.units) == top), None)
    if mine is None:
        return Resize(top) if workload.leaving == top else Announce(top)
    return _removal(goal, mine, workload, _move(goal, view, [mine]))


def _removal(
    goal: Goal, member: Member, workload: Workload, before: MoveLeader | None = None
) -> Step:
    """Remove a member; a unit is announced first, or it would join again when it restarts."""
    ordinal = member.ordinal_in(goal.units)
    if ordinal is not None and ordinal < workload.replicas and workload.leaving != ordinal:
        return Announce(ordinal)
    return before or Remove(member)


def _move(goal: Goal, view: View, leaving: list[Member]) -> MoveLeader | None:
    """The move that must come before a removal, if one of these leads.

    To the wanted unit that is furthest.
    """
    leader = view.leader
    if leader not in leaving:
        return None
    units = [m for m in view.voters if m.pod in goal.pods and m.id in view.statuses]
    return MoveLeader(leader, furthest(units, view))


def furthest(members: Iterable[Member], view: View) -> Member:
    """Who has applied most: leadership goes there without catching up. One that does not answer
    comes last."""

    def applied(member: Member) -> tuple[int, str]:
        status = view.statuses.get(member.id)
        return (status.applied_index if status else -1, member.pod)

    return max(members, key=applied)


def _dead(leaving: list[Member], view: View, history: History, now: float) -> Member | None:
    """A leaving member that is dead, if the others can spare it.

    While it stands in the list no unit can join, since joining wants every voter healthy.
    """
    for member in leaving:
        if member.id in view.statuses or history.sick_for(member, now) < DEAD_SECONDS:
            continue
        if member.learner or spares(view, member, history, now):
            return member
    return None
