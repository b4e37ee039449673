"""What the handover does next, given what the cluster looks like. Pure.

The next step is derived from the live membership each time, never from a stored step number, so
a handover that was cut off anywhere goes on from what is there.
"""

from __future__ import annotations

from dataclasses import dataclass

from containers.etcd.supervisor.membership import History, Member, View
from containers.etcd.supervisor.rules import unsettled

DEAD_SECONDS = 15.0
"""A seed that has not been healthy for this long counts as dead. Longer than any restart of a
container in a pod that still lives; a seed whose pod is gone never comes back anyway."""


@dataclass(frozen=True)
class Wait:
    reason: str


@dataclass(frozen=True)
class StopServing:
    """Take the seeds out of the client Service, before the first of them goes."""


@dataclass(frozen=True)
class MoveLeader:
    leader: Member
    target: Member


@dataclass(frozen=True)
class Remove:
    member: Member


@dataclass(frozen=True)
class Done:
    pass


Step = Wait | StopServing | MoveLeader | Remove | Done


@dataclass(frozen=True)
class Goal:
    """What the handover works towards."""

    seeds: str
    """Name of the seeds' StatefulSet: a member is a seed if its pod is `<seeds>-<ordinal>`."""
    units: tuple[str, ...]
    """Pods that must be voters before the first living seed goes."""

    def is_seed(self, member: Member) -> bool:
        stem, _, ordinal = member.pod.rpartition("-")
        return stem == self.seeds and ordinal.isdigit()


def next_step(goal: Goal, view: View, history: History, now: float, *, serving: bool) -> Step:
    """Return the one next step.

    `serving`: whether the client Service still selects a seed. Guards redundancy, where etcd
    guards only quorum (facts: with a unit dead, etcd would let all seeds go): a living seed is
    removed only while all wanted units, and every other voter, are settled voters. With at least
    as many units as seeds the units alone are then a quorum after the first removal.
    """
    seeds = tuple(m for m in view.members if goal.is_seed(m))
    dead = _dead_seed(seeds, view, history, now)
    if dead is not None:
        return Remove(dead)
    missing = [pod for pod in goal.units if not _votes(view, pod)]
    if missing:
        return Wait(f"not voters yet: {', '.join(missing)}")
    blocked = unsettled(view, history, now)
    if blocked:
        return Wait(blocked)
    if view.learners:
        return Wait(f"a learner is still joining: {view.learners[0].pod}")
    if not seeds:
        return Done()
    if len(goal.units) < len(seeds):
        return Wait(f"{len(goal.units)} units cannot take over from {len(seeds)} seeds")
    if serving:
        return StopServing()
    leader = view.leader
    assert leader is not None, "settled voters have a leader"
    if goal.is_seed(leader):
        return MoveLeader(leader, _successor(goal, view))
    return Remove(seeds[0])


def _votes(view: View, pod: str) -> bool:
    return any(m.pod == pod and not m.learner for m in view.members)


def _successor(goal: Goal, view: View) -> Member:
    """The unit that is furthest, so that the hand-over takes no catching up."""
    units = [m for m in view.voters if m.pod in goal.units]
    return max(units, key=lambda m: (view.statuses[m.id].applied_index, m.pod))


def _dead_seed(
    seeds: tuple[Member, ...], view: View, history: History, now: float
) -> Member | None:
    """A seed that is dead, if all others are settled and hold quorum without it.

    While it stands in the list no unit can join, since joining wants every voter healthy.
    """
    for seed in seeds:
        if seed.id in view.statuses or history.sick_for(seed, now) < DEAD_SECONDS:
            continue
        others = View(view.cluster_id, tuple(m for m in view.members if m != seed), view.statuses)
        if len(others.voters) >= view.quorum and unsettled(others, history, now) is None:
            return seed
    return None
