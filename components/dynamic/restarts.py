"""Which unit restarts next in a rolling change. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.dynamic.plan import Done, Goal, MoveLeader, Wait, furthest
from containers.etcd.supervisor.membership import History, View
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
    lasting: bool = True
    """No data goes with it: it has a volume, or has never run."""


@dataclass(frozen=True)
class Restart:
    pod: str


Change = MoveLeader | Restart
Step = Change | Wait | Done


def next_restart(goal: Goal, view: View, history: History, now: float, pods: Sequence[Pod]) -> Step:
    """Return the one next step: one pod at a time, the highest ordinal first, the leader last.

    A pod goes only while every wanted unit votes, every voter is settled and every pod is ready:
    so a unit that does not come back stops the change, with all others as they were. Leadership
    goes to a unit that has its restart behind it, where there is one. A unit that has failed on an
    older template is the first: it may be this very change that mends it.
    """
    there = {pod.name: pod for pod in pods}
    away = [name for name in goal.pods if name not in there or not there[name].ready]
    if away and (mended := _mended(view, history, now, away, there)):
        return mended
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


def _mended(
    view: View, history: History, now: float, away: Sequence[str], there: Mapping[str, Pod]
) -> Change | None:
    """The step that brings the newest template to a unit that is not ready, if one may be taken.

    Kubernetes itself would wait for it for ever (StatefulSet: "Forced rollback"). Those that are
    ready must be settled and a quorum, so that a restart costs no more than is missed now; and none
    of the others may be on its way with the newest template: how that one comes back is to be seen
    first.
    """
    if any(name not in there or there[name].current or there[name].ending for name in away):
        return None
    others = [m for m in view.voters if m.pod not in away]
    settled = [m for m in others if history.healthy_for(m, now) >= SETTLE_SECONDS]
    if view.leader is None or len(settled) < max(view.quorum, len(others)):
        return None
    failed = away[-1]
    if view.leader.pod != failed:
        return Restart(failed)
    renewed = [m for m in settled if m.pod in there and there[m.pod].current]
    return MoveLeader(view.leader, furthest(renewed or settled, view))


def loss(goal: Goal, pods: Sequence[Pod]) -> Pod | None:
    """The only unit, if it would restart and has no volume: with its pod all data would go."""
    if goal.count != 1:
        return None
    going = (p for p in pods if not (p.current or p.ending or p.lasting))
    return next((pod for pod in going if pod.name in goal.pods), None)


def alone(goal: Goal, pods: Sequence[Pod]) -> Restart | None:
    """The restart of the only unit there is, if it has failed on an older template.

    Nobody answers then who could be asked, and nobody is served whom a restart could harm.
    """
    if goal.count != 1:
        return None
    return next(
        (
            Restart(pod.name)
            for pod in pods
            if pod.name in goal.pods and not (pod.current or pod.ready or pod.ending)
        ),
        None,
    )
