"""The loop of every sequence: read the view, decide, take one step, read again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from components.change import restarts
from components.change.plan import Done, Goal, Wait
from components.change.renewal import Renewal
from components.change.strangers import require_none
from components.etcd import corruption, lock
from components.etcd.cluster import Cluster
from components.etcd.lock import Lock
from components.kube.client import Kube
from components.kube.errors import ExecError
from components.kube.eviction import DeferredError
from components.kube.pods import (
    may_pass,
    obstacle,
    of_stateful_set,
    overdue,
    ready_first,
    ready_seconds,
)
from components.kube.troubles import more_memory
from components.progress import Progress, SequenceError, Unmet
from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from containers.etcd.supervisor.membership import History, View, observe

POLL_SECONDS = 0.2
STALE_SECONDS = 15.0
"""After which what was seen is no ground for a step. A look takes well below a second, but every
question to a Kubernetes API that is away for a moment is asked again."""
LOOK_SECONDS = 3.0
"""Between two looks at the pods for reasons why a unit does not come."""

S = TypeVar("S")
"""The steps that a sequence can take, beside waiting and being done."""

AGAIN = "pulumi up, which goes on from here, once that is repaired"
SILENT = (
    "bring back the units with their data, then pulumi up; or, if all of it is lost, "
    "pulumi destroy, then pulumi up (docs/runbook.md: no quorum)"
)
"""Where nobody answers. Units that have lost all data wait for ever: no unit forms a cluster."""


@dataclass
class Loop:
    """What a sequence knows of its cluster, round by round."""

    kube: Kube
    cluster: Cluster
    progress: Progress
    goal: Goal
    lock: Lock
    """The only cluster that may answer."""
    history: History = field(default_factory=History)
    pods: list[Any] = field(default_factory=list[Any])
    """All pods of the namespace, as of this round."""
    pods_at: datetime = datetime.min
    """The API server's time of that."""
    seen: View | None = None
    """The cluster as of this round, if it answers."""
    beside: Callable[[list[Any]], list[str]] = lambda _pods: []
    """What else a look at the pods is for: given all of the namespace, says what is amiss."""
    unmarked: bool = False
    """Whether the birth mark is gone from the cluster: a client can delete it, like any key."""
    _known: bool = False
    """Whether the birth mark was compared."""
    _looked_at: float = field(default_factory=time.monotonic)
    _pending: list[str] = field(default_factory=list[str])
    """What was known at the last look of units that do not come, and what is beside."""

    @staticmethod
    def of(kube: Kube, props: Mapping[str, Any], progress: Progress) -> Loop:
        """The loop over the cluster that `props` names: units (count), cluster_id, birth; floor and
        proof if there are any (see `lock.floor`)."""
        site = kube.site
        goal = Goal(seeds=site.seeds, units=site.units, count=int(props["units"]))
        pods, at = kube.pods_and_time()
        seeds = of_stateful_set(pods, site.seeds)
        units = of_stateful_set(pods, site.units)
        # Seeds first while there are any: before the handover they alone are members.
        asked = [p.metadata.name for p in ready_first([*seeds, *units])]
        known = Lock(
            cluster_id=str(props["cluster_id"]),
            birth=str(props["birth"]),
            revision=lock.floor(lock.on_volumes(kube), props),
        )
        cluster = Cluster(kube, dict.fromkeys([*asked, *goal.pods]))
        return Loop(
            kube=kube,
            cluster=cluster,
            progress=progress,
            goal=goal,
            lock=known,
            pods=pods,
            pods_at=at,
        )

    def run(
        self,
        decide: Callable[[View, float], S | Wait | Done],
        act: Callable[[S, View], None],
        judge: Callable[[View], None] = lambda _view: None,
    ) -> None:
        """Take steps until `decide` says done. `judge` sees the first view, and may raise.

        What etcd, or a budget, refuses now is decided anew after the next look. Raises
        SequenceError when the deadline passes, when a unit cannot start, when another cluster
        answers than the one that was born, or when a member is listed that is neither a seed nor a
        unit.
        """
        judged = False
        while True:
            # What is seen first has no mark to be measured against: the second look comes at once.
            first, began = self.seen is None, time.monotonic()
            view = self.look()
            if isinstance(view, Unmet):
                self._wait(view.reason, None)
                continue
            if self.unmarked:
                self._mark_again(view)
            # Without a leader no plan can be foretold, and none is carried out.
            if not judged and view.leader is not None:
                judge(view)
                judged = True
            step = decide(view, time.monotonic())
            if isinstance(step, Done):
                if not self.unmarked:
                    return
                step = Wait("the birth mark, which a client has deleted, is being written again")
            if isinstance(step, Wait):
                self._wait(step.reason, view, pause=not first)
                continue
            if time.monotonic() - began > STALE_SECONDS:
                self._wait("the Kubernetes API is slow, looking again", view, pause=False)
                continue
            try:
                act(step, view)
            except ExecError as error:
                self._wait(f"etcd refuses for now: {error}", view)
            except DeferredError as error:
                self._wait(str(error), view)

    def look(self) -> View | Unmet:
        """Read what etcd and Kubernetes have, and note how the members are.

        Unmet while etcd does not answer. Raises SequenceError where waiting would not help: another
        cluster, a member that is not ours, the alarm CORRUPT, etcd's authentication.
        """
        view = self.cluster.view()
        if isinstance(view, Unmet):
            self.history, self.seen = observe(self.history, None, time.monotonic()), None
            return view
        # After the view, so that one of those who have answered is asked: it must be their mark.
        birth = None if self._known else self._birth()
        lock.require(self.lock, view, self.kube.site, birth)
        corruption.require_none(view)
        if birth is not None:
            self._known, self.unmarked = True, not birth and bool(self.lock.birth)
        require_none(self.goal, view, self.kube.site)
        self._note(view, self._look_at_kubernetes())
        self.seen = view
        return view

    def _look_at_kubernetes(self) -> datetime:
        self.pods, self.pods_at = self.kube.pods_and_time()
        return self.pods_at

    def _mark_again(self, view: View) -> None:
        """Before anything else: a unit with data of this cluster joins no cluster without it."""
        if view.leader is None:
            return
        try:
            self.cluster.write_birth(self.lock.birth)
        except ExecError:
            return  # tried again in the next round
        self._known = False  # until the next look: another's may have come meanwhile
        self.progress.say("the cluster's birth mark, which a client had deleted, is written again")

    def take(self, step: restarts.Change, view: View) -> None:
        """Restart a unit, or move leadership away before. Raises ExecError, and DeferredError."""
        self._renewal().take(step, view, self.pods)

    def _renewal(self) -> Renewal:
        return Renewal(self.kube, self.cluster, self.progress, self.goal)

    def _birth(self) -> str | None:
        try:
            return self.cluster.get(BIRTH_KEY)
        except ExecError:
            return None  # asked again in the next round

    def _note(self, view: View, now: datetime) -> None:
        ages = {pod.metadata.name: ready_seconds(pod, now) for pod in self.pods}
        told = {m.id: ages.get(m.pod, 0.0) for m in view.voters}
        self.history = observe(self.history, view, time.monotonic(), told)

    def _wait(self, reason: str, view: View | None, *, pause: bool = True) -> None:
        now = time.monotonic()
        if now - self._looked_at > LOOK_SECONDS:
            self._hint(reason)  # before what may take long
            self._look_at_pods()
            self._looked_at = time.monotonic()
        if view is not None:
            self._say_who_is_joining(view)
        self._hint(reason)
        if self.progress.expired:
            raise SequenceError(
                f"not balanced after {self.progress.timeout_seconds} s: "
                + "; ".join([reason, *self._pending]),
                self.progress.or_longer(SILENT if view is None else AGAIN),
            )
        if pause:
            time.sleep(POLL_SECONDS)

    def _hint(self, reason: str) -> None:
        self.progress.hint(f"waiting: {'; '.join([reason, *self._pending])}")

    def _say_who_is_joining(self, view: View) -> None:
        """Tell how far each learner among the units is."""
        leader_index = view.leader_index or 0
        for member in view.learners:
            status = view.statuses.get(member.id)
            share = 100 * status.applied_index // leader_index if status and leader_index else 0
            line = f"unit {member.pod}: learner, {share} % of leader's index"
            self.progress.say(line, about=member.pod)

    def _look_at_pods(self) -> None:
        site, now = self.kube.site, self._look_at_kubernetes()
        units = of_stateful_set(self.pods, site.units)
        # First: they may help the cluster even where a unit's obstacle ends the sequence.
        renewed = self._renewal().renew(units, now, self.seen, self.history)
        aside = self.beside(self.pods)
        pods = [p for p in units if p.metadata.name in self.goal.pods]
        failed = self.kube.failed_pulls(pods)
        for pod in pods:
            problem = obstacle(pod)
            if problem and pod.metadata.name not in renewed and not may_pass(pod, failed):
                raise SequenceError(problem, more_memory(pod, "units") or AGAIN)
        # Of those that leave, who should have gone: their nodes may be dead.
        late = [p for p in units if p not in pods and overdue(p, now)]
        self._pending = self.kube.troubles(
            [*pods, *late], self._silent(pods), still=self.progress.stands_still
        )
        if len(pods) < self.goal.count:
            self._pending.append(
                f"{len(pods)} of {self.goal.count} unit pods made{self.kube.refusal(site.units)}"
            )
        self._pending += aside

    def _silent(self, pods: list[Any]) -> set[str]:
        """Whose supervisors are to say why no etcd answers: nobody's while there is news, since it
        would take the processor from etcds that are starting."""
        if not self.progress.stands_still:
            return set()
        return {p.metadata.name for p in pods} - (self.seen.answering if self.seen else set())
