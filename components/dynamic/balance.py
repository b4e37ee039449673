"""The handover's loop: read the view, ask the plan, take its one step, read again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from components.dynamic import bootstrap, plan
from components.dynamic.cluster import Cluster, receipt, table
from components.dynamic.kube import ExecError, Kube, obstacle, pending_reason, plain_errors, running
from components.dynamic.progress import Progress, SequenceError, Unmet
from components.dynamic.site import Site
from containers.etcd.supervisor.membership import History, View, observe

POLL_SECONDS = 0.3
LOOK_SECONDS = 3.0
"""Between two looks at the pods for reasons why a unit does not come."""

AGAIN = "pulumi up, which goes on from here, once that is repaired"


def balance(site: Site, props: dict[str, Any]) -> dict[str, Any]:
    """Bring the membership to exactly the wanted units. Returns the handover's outputs.

    Raises SequenceError when the deadline passes, when a unit cannot start, or when another
    cluster answers than the one that was born.
    """
    with plain_errors(site):
        kube = Kube(props["kubeconfig"], site)
        progress = Progress("handover", int(props["timeout_seconds"]))
        units = tuple(f"{site.units}-{i}" for i in range(int(props["units"])))
        first = [f"{site.seeds}-{i}" for i in range(len(kube.pods(site.seeds)))]
        passage = _Passage(
            kube=kube,
            cluster=Cluster(kube, [*units, *first] if not first else [*first, *units]),
            progress=progress,
            goal=plan.Goal(seeds=site.seeds, units=units),
            cluster_id=str(props["cluster_id"]),
        )
        view = passage.run()
        bootstrap.end(kube, passage.cluster, progress)
        progress.phase_done("teardown")
        proof = receipt(passage.cluster, view)
        if not proof["consistent"]:
            raise SequenceError(
                f"the members do not agree: {proof['differences']}",
                "make status, to see which member differs",
            )
        progress.phase_done("receipt")
        progress.say(f"balanced: {len(view.voters)} units vote, {proof['leader']} leads")
    return {
        "members": table(view),
        "revision": proof["revision"],
        "receipt": proof,
        "timings": progress.phases,
    }


@dataclass
class _Passage:
    kube: Kube
    cluster: Cluster
    progress: Progress
    goal: plan.Goal
    cluster_id: str
    serving: bool = True
    """Whether a seed may still be selected by the client Service."""
    history: History = field(default_factory=History)
    looked_at: float = field(default_factory=time.monotonic)

    def run(self) -> View:
        """Take steps until the plan says done; return the last view."""
        while True:
            view = self.cluster.view()
            now = time.monotonic()
            if isinstance(view, Unmet):
                self._wait(view.reason, None)
                continue
            self._check_identity(view)
            self.history = observe(self.history, view, now)
            step = plan.next_step(self.goal, view, self.history, now, serving=self.serving)
            if isinstance(step, plan.Done):
                self.progress.phase_done("units vote" if self.serving else "seeds removed")
                return view
            if isinstance(step, plan.Wait):
                self._wait(step.reason, view)
            else:
                self._take(step, view)

    def _check_identity(self, view: View) -> None:
        if f"{view.cluster_id:x}" != self.cluster_id:
            raise SequenceError(
                f"cluster {view.cluster_id:x} answers, but cluster {self.cluster_id} was born here",
                "stop clients, and find out with `kubectl get pods` who formed the other cluster",
            )

    def _take(self, step: plan.Step, view: View) -> None:
        """Perform one step. What etcd refuses now is asked again after the next look."""
        try:
            match step:
                case plan.StopServing():
                    self.progress.phase_done("units vote")
                    self._stop_serving(view)
                case plan.MoveLeader(leader, target):
                    self.cluster.move_leader(leader, target)
                    self.progress.say(f"leader moved from {leader.pod} to {target.pod}")
                case plan.Remove(member):
                    self.cluster.remove(member)
                    left = len(view.voters) - 1
                    healthy = sum(m.id in view.statuses for m in view.voters if m != member)
                    self.progress.say(
                        f"seed {member.pod} removed: {left} members, "
                        f"quorum {left // 2 + 1}, healthy {healthy}"
                    )
                case _:
                    raise AssertionError(step)
        except ExecError as error:
            self._wait(f"etcd refuses for now: {str(error).splitlines()[-1]}", view)

    def _stop_serving(self, view: View) -> None:
        # From here on the units' disks hold the cluster: an `up` after a cut or a destroy must
        # find that out from the volumes alone.
        bootstrap.mark_volumes(self.kube, view)
        for pod in self.kube.pods(self.kube.site.seeds):
            self.kube.unlabel(pod.metadata.name, self.kube.site.serving_label)
        self.serving = False
        self.progress.say(f"all {len(self.goal.units)} units vote: clients are led to them alone")

    def _wait(self, reason: str, view: View | None) -> None:
        now = time.monotonic()
        if now - self.looked_at > LOOK_SECONDS:
            self.looked_at = now
            self._look_at_pods()
        if view is not None:
            self._say_who_is_joining(view)
        self.progress.hint(f"waiting: {reason}")
        if self.progress.expired:
            raise SequenceError(
                f"not balanced after {self.progress.timeout_seconds} s: {reason}", AGAIN
            )
        time.sleep(POLL_SECONDS)

    def _say_who_is_joining(self, view: View) -> None:
        """Tell how far each learner among the units is."""
        mark = view.leader_index or 0
        for member in view.learners:
            status = view.statuses.get(member.id)
            share = 100 * status.applied_index // mark if status and mark else 0
            line = f"unit {member.pod}: learner, {share} % of leader's index"
            self.progress.say(line, about=member.pod)

    def _look_at_pods(self) -> None:
        renewed = self.kube.renew_stuck(self.kube.site.units)
        if renewed:
            self.progress.say(f"made anew, since its template was corrected: {', '.join(renewed)}")
        pods = self.kube.pods(self.kube.site.units)
        for pod in pods:
            problem = obstacle(pod)
            if problem and pod.metadata.name not in renewed:
                raise SequenceError(problem, AGAIN)
        pending = [pending_reason(p) for p in pods if not running(p)]
        if len(pods) < len(self.goal.units):
            pending.append(
                f"{len(pods)} of {len(self.goal.units)} unit pods made"
                f"{self.kube.refusal(self.kube.site.units)}"
            )
        if pending:
            self.progress.hint("; ".join(pending))
