"""Brings the membership to exactly the wanted units: what handover and scale have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from components.change import plan
from components.change.forecast import Forecast, require
from components.change.loop import Loop
from components.etcd import lock
from components.kube.pods import by_ordinal, of_stateful_set
from containers.etcd.supervisor.kubernetes import LEAVING_ANNOTATION
from containers.etcd.supervisor.membership import Member, View

ELSEWHERE_SECONDS = 1.0
"""Between the end of the seeds as endpoints and the removal of the first. Each node learns of it by
itself, and later: clients that connect anew would be led to where nobody is."""

T = TypeVar("T")
_ForEtcd = plan.StopServing | plan.MoveLeader | plan.Remove


def balance(loop: Loop, least: int | None = None) -> None:
    """Return when exactly the wanted units vote. Raises as `Loop.run` does.

    `least`: raises SequenceError for what lowers the tolerance below it. The diff does so, too, but
    only if etcd answers it. None: a handover, in which there are seeds beside the units.
    """
    _ = _told(loop, lambda: plan.bring_back(loop.goal, workload(loop)))

    def next_for_etcd(view: View, now: float) -> _ForEtcd | plan.Wait | plan.Done:
        # What only Kubernetes must be told is told on the way: for that no other look is needed.
        return _told(
            loop, lambda: plan.next_step(loop.goal, view, loop.history, now, workload(loop))
        )

    def act(step: _ForEtcd, view: View) -> None:
        _take(loop, step, view)

    def judge(view: View) -> None:
        if least is not None:
            model = Forecast(loop.goal, view, workload(loop))
            require(model.now, model.scale().stages, least)

    loop.run(next_for_etcd, act, judge)


def workload(loop: Loop) -> plan.Workload:
    """The units' StatefulSet and the pods as of the last look."""
    site = loop.kube.site
    found = loop.kube.stateful_set(site.units)
    leaving = (found.metadata.annotations or {}).get(LEAVING_ANNOTATION)
    seeds = of_stateful_set(loop.pods, site.seeds)
    return plan.Workload(
        replicas=found.spec.replicas,
        leaving=None if leaving is None else int(leaving),
        pods=frozenset(by_ordinal(loop.pods, site.units)),
        serving_seeds=any(site.serving_label in (p.metadata.labels or {}) for p in seeds),
    )


def _told(loop: Loop, decide: Callable[[], T | plan.Announce | plan.Resize]) -> T | plan.Wait:
    """Tell Kubernetes what only it must be told; return the first step of another kind.

    A wait where the same was told already: somebody sets it back, and the loop has the deadline.
    """
    told = set[plan.Announce | plan.Resize]()
    while True:
        step = decide()
        if not isinstance(step, plan.Announce | plan.Resize):
            return step
        if step in told:
            units = loop.kube.site.units
            return plan.Wait(f"somebody else sets StatefulSet {units} back at once")
        _announce_or_resize(loop, step)
        told.add(step)


def _announce_or_resize(loop: Loop, step: plan.Announce | plan.Resize) -> None:
    units = loop.kube.site.units
    match step:
        case plan.Announce(ordinal):
            loop.kube.announce(units, ordinal)
        case plan.Resize(replicas):
            loop.kube.scale(units, replicas)
            loop.progress.say(f"StatefulSet {units}: {replicas} replicas")


def _take(loop: Loop, step: _ForEtcd, view: View) -> None:
    say = loop.progress.say
    match step:
        case plan.StopServing():
            loop.progress.phase_done("units vote")
            _stop_serving(loop, view)
        case plan.MoveLeader(leader, target):
            loop.cluster.move_leader(leader, target)
            say(f"leader moved from {leader.pod} to {target.pod}")
        case plan.Remove(member):
            loop.cluster.remove(member)
            say(_removed(loop, view, member))


def _removed(loop: Loop, view: View, member: Member) -> str:
    left = [m for m in view.voters if m != member]
    healthy = sum(m.id in view.statuses for m in left)
    role = "seed" if loop.goal.is_seed(member) else "unit"
    return (
        f"{role} {member.pod} removed: {len(left)} members, "
        f"quorum {len(left) // 2 + 1}, healthy {healthy}"
    )


def _stop_serving(loop: Loop, view: View) -> None:
    # From here on the units' disks hold the cluster: an `up` after a cut or a destroy must find
    # that out from the volumes alone.
    lock.note(loop.kube, loop.lock, view)
    site = loop.kube.site
    for pod in of_stateful_set(loop.pods, site.seeds):
        loop.kube.unlabel(pod.metadata.name, site.serving_label)
    time.sleep(ELSEWHERE_SECONDS)
    count = sum(m.pod in loop.goal.pods for m in view.voters)
    loop.progress.say(f"all {count} units vote: clients are led to them alone")
