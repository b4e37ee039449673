"""Which unit restarts next in a rolling change. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components.dynamic.plan import Done, Goal, MoveLeader, Wait, furthest
from containers.etcd.supervisor.membership import History, View
from containers.etcd.supervisor.rules import unsettled


@dataclass(frozen=True)
class Pod:
    """A unit's pod as Kubernetes has it."""

    name: str
    current: bool
    """Made from the template of now."""
    ready: bool


@dataclass(frozen=True)
class Restart:
    pod: str


Change = MoveLeader | Restart
Step = Change | Wait | Done


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
        return Restart(followers[-1])
    renewed = [voters[name] for name in goal.pods if name not in outdated]
    if leader is None or not renewed:
        return Restart(outdated[-1])
    return MoveLeader(leader, furthest(renewed, view))
