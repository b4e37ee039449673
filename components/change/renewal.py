"""Brings what is new to units that do not come: the newest template, and an image.

Kubernetes makes them from the template of now once their pods are deleted, but would itself wait
for ever until they are ready (StatefulSet: "Forced rollback"). So would every sequence: nobody
joins beside a voter that is not well, and the rolling change comes last.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.change import restarts
from components.change.plan import Goal, MoveLeader
from components.etcd.cluster import Cluster
from components.kube.client import Kube
from components.kube.errors import ExecError
from components.kube.recreate import pull_again, recreate
from components.progress import Progress
from containers.etcd.supervisor.membership import History, View


@dataclass(frozen=True)
class Renewal:
    """What a sequence does for units that have failed while it waits for them."""

    kube: Kube
    cluster: Cluster
    progress: Progress
    goal: Goal

    def renew(
        self, units: Sequence[Any], at: datetime, view: View | None, history: History
    ) -> list[str]:
        """Restart one that may be, and all that cannot start and take no data along.

        Returns the names of those who are waited for, whatever Kubernetes says of them: for whom
        something was done, and while a cluster answers all who have failed, since their turn comes.
        `units`: their pods, at the API server's time `at`; `view`: None while no cluster answers.
        """
        found = pull_again(self.kube, units, at, self.progress)
        left = [pod for pod in units if pod not in found]
        newest = self.kube.newest_revision(self.kube.site.units)
        if newest is None:
            return [pod.metadata.name for pod in found]
        voters = {m.pod for m in view.voters} if view else None
        found += recreate(self.kube, left, newest, voters, self.progress)
        names = [pod.metadata.name for pod in found]
        left = [pod for pod in units if pod not in found]
        seen = restarts.seen(left, newest, at)
        names += [pod.name for pod in seen if pod.failed and view is not None]
        step = self._mend(left, seen, view, history)
        if step is None:
            return names
        try:
            self.take(step, view, left)
        except ExecError as error:
            self.progress.hint(f"etcd refuses for now: {error}")
        return [*names, step.pod if isinstance(step, restarts.Restart) else step.leader.pod]

    def take(self, step: restarts.Change, view: View | None, pods: Sequence[Any]) -> None:
        """Restart a unit, or move leadership away before. Raises ExecError, and DeferredError."""
        match step:
            case MoveLeader(leader, target):
                self.cluster.move_leader(leader, target)
                self.progress.say(f"leader moved from {leader.pod} to {target.pod}")
            case restarts.Restart(pod, guarded):
                end = self.kube.evict_pod if guarded else self.kube.delete_pod
                end(next(p for p in pods if p.metadata.name == pod))
                self.progress.say(f"unit {pod} restarts: {_left(pod, view)}")

    def _mend(
        self,
        found: Sequence[Any],
        units: Sequence[restarts.Pod],
        view: View | None,
        history: History,
    ) -> restarts.Change | None:
        """Something runs in these, as far as Kubernetes knows. `found`: the same as it has them."""
        now = time.monotonic()
        if view is None:
            return restarts.mend_unserved(units, self._ended(found, units))
        if history.may_have_missed(now):
            return None
        return restarts.mend(self.goal, view, history, now, units)

    def _ended(self, found: Sequence[Any], units: Sequence[restarts.Pod]) -> list[str]:
        """Those that have failed in which etcd does not run though it has data, as they say."""
        failed = {unit.name for unit in units if unit.failed}
        said = self.kube.supervisor_statuses(p for p in found if p.metadata.name in failed)
        return [name for name, status in said.items() if status.get("data") and not status["etcd"]]


def _left(pod: str, view: View | None) -> str:
    """Who serves meanwhile."""
    if view is None:
        return "no member serves"
    serving = sum(m.id in view.statuses and m.pod != pod for m in view.voters)
    return f"{serving} of {len(view.voters)} members serve, quorum {view.quorum}"
