"""Which unit restarts next: in a rolling change, or since its older template has failed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.change.plan import Done, Goal, MoveLeader, Wait, furthest
from components.kube.pods import (
    ending,
    is_current,
    never_started,
    on_the_way,
    on_volume,
    ready,
    unheard,
)
from containers.etcd.supervisor.membership import History, Member, View
from containers.etcd.supervisor.rules import SETTLE_SECONDS, unsettled


@dataclass(frozen=True)
class Pod:
    """A unit's pod as Kubernetes has it."""

    name: str
    current: bool
    """Made from the template of now."""
    ready: bool
    ending: bool = False
    """Told to end: Kubernetes makes another in its place."""
    on_the_way: bool = False
    """It ends in its time, is being started, or runs: how it comes back is to be seen. One for
    which there is no room, or whose node is silent, may not come for long."""
    unheard: bool = False
    """It was ready when its node was last heard. If that has only lost the API server it is well,
    and told to end now it would end when the node is back, whoever else is down then."""
    lasting: bool = True
    """No data goes with it: it has a volume, or has never run."""

    @property
    def failed(self) -> bool:
        """Whether it is not ready, and the newest template may be what it lacks."""
        return not (self.ready or self.current or self.ending or self.unheard)


@dataclass(frozen=True)
class Restart:
    pod: str
    guarded: bool = False
    """Only as the units' disruption budget allows it, since it costs a member that is well. For one
    that is not the budget could say no for ever."""


Change = MoveLeader | Restart
Step = Change | Wait | Done


def seen(found: Iterable[Any], newest: str, now: datetime) -> list[Pod]:
    """Units' pods, as Kubernetes has them; `newest`: its name for the declared template."""
    return [
        Pod(
            name=pod.metadata.name,
            current=is_current(pod, newest),
            ready=ready(pod),
            ending=ending(pod),
            on_the_way=on_the_way(pod, now),
            unheard=unheard(pod),
            lasting=on_volume(pod) or never_started(pod),
        )
        for pod in found
    ]


def all_run(goal: Goal, pods: Iterable[Pod]) -> bool:
    """Whether every wanted unit is there, ready and of the newest template."""
    return {pod.name for pod in pods if pod.current and pod.ready}.issuperset(goal.pods)


def next_restart(goal: Goal, view: View, history: History, now: float, pods: Sequence[Pod]) -> Step:
    """Return the one next step: one pod at a time, the highest ordinal first, the leader last.

    A pod goes only while every wanted unit votes, every voter is settled and every pod is ready:
    so a unit that does not come back stops the change, with all others as they were. Leadership
    goes to a unit that has its restart behind it, where there is one.
    """
    there = {pod.name: pod for pod in pods}
    away = [name for name in goal.pods if name not in there or not there[name].ready]
    if away:
        return Wait(f"not ready: {', '.join(away)}")
    voters = {m.pod: m for m in view.voters}
    missing = [name for name in goal.pods if name not in voters]
    if missing:
        return Wait(f"not voters: {', '.join(missing)}")
    outdated = [name for name in goal.pods if not there[name].current]
    if not outdated:
        return Done()
    blocked = unsettled(view, history, now)
    if blocked:
        return Wait(blocked)
    leader = view.leader
    followers = [name for name in outdated if leader is None or name != leader.pod]
    if followers:
        return Restart(followers[-1], guarded=True)
    renewed = [voters[name] for name in goal.pods if name not in outdated]
    if leader is None or not renewed:
        return Restart(outdated[-1], guarded=True)
    return MoveLeader(leader, furthest(renewed, view))


def mend(
    goal: Goal, view: View, history: History, now: float, pods: Sequence[Pod]
) -> Change | None:
    """The step that brings the newest template to a wanted unit that has failed, if one may be.

    Kubernetes itself would wait for it for ever (StatefulSet: "Forced rollback"), and so would
    every sequence: nobody joins beside a voter that is not well. Those that are ready must be
    settled and a quorum, so that a restart costs no more than is missed now; and no other voter may
    be on its way: how that one comes back is to be seen first. One that does not vote yet is not
    waited for: it may be waiting for the very one that has failed.
    """
    there = {pod.name: pod for pod in pods}
    comes = {m.pod for m in view.members if _comes(m, view, history, now)}
    failed = [
        name for name in goal.pods if name in there and there[name].failed and name not in comes
    ]
    if not failed or view.leader is None:
        return None
    away = [name for name in goal.pods if name not in there or not there[name].ready]
    coming = [
        m
        for m in view.voters
        if m.pod in away and m.pod in there and m.pod not in failed and there[m.pod].on_the_way
    ]
    others = [m for m in view.voters if m.pod not in away]
    settled = [m for m in others if history.healthy_for(m, now) >= SETTLE_SECONDS]
    if coming or len(settled) < max(view.quorum, len(others)):
        return None
    if view.leader.pod != failed[-1]:
        return Restart(failed[-1])
    renewed = [m for m in settled if m.pod in there and there[m.pod].current]
    return MoveLeader(view.leader, furthest(renewed or settled, view))


def _comes(member: Member, view: View, history: History, now: float) -> bool:
    """Whether it is on its way to be ready, whatever its template: a learner that runs, or a voter
    that is well and has not been for long."""
    runs = member.id in view.statuses
    return runs and (member.learner or 0 <= history.healthy_for(member, now) < SETTLE_SECONDS)


def mend_unserved(pods: Sequence[Pod], ended: Collection[str]) -> Restart | None:
    """The same where no cluster answers: for one in which etcd does not run, though it has data, or
    which is the only one.

    It serves nobody, so its restart harms nobody, as long as its data outlives it. A quorum that
    only waits for a node to come back is let alone: their etcds run.

    `ended`: the pods whose supervisors say so.
    """
    failed = [pod for pod in pods if pod.failed and pod.lasting]
    silent = [pod for pod in failed if pod.name in ended or len(pods) == 1]
    return Restart(silent[-1].name) if silent else None


def loss(goal: Goal, pods: Sequence[Pod]) -> Pod | None:
    """The only unit, if it would restart and has no volume: with its pod all data would go."""
    if goal.count != 1:
        return None
    going = (p for p in pods if not (p.current or p.ending or p.lasting))
    return next((pod for pod in going if pod.name in goal.pods), None)
