"""The sequence behind `Rollout`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.dynamic import restarts
from components.dynamic.kube import Kube, plain_errors
from components.dynamic.loop import Loop
from components.dynamic.plan import MoveLeader
from components.dynamic.pods import of_stateful_set, ready
from components.dynamic.progress import Progress, Unmet
from components.dynamic.proof import prove
from components.dynamic.site import Site
from containers.etcd.supervisor.membership import View

REVISION_LABEL = "controller-revision-hash"
"""On every pod of a StatefulSet: which of its templates the pod was made from."""


def roll(site: Site, props: Mapping[str, Any]) -> dict[str, Any]:
    """Restart every unit that is not of the declared template.

    Returns the proof, empty where nothing was to be done. Raises SequenceError.
    """
    with plain_errors(site):
        kube = Kube(str(props["kubeconfig"]), site)
        progress = Progress("rollout", int(props["timeout_seconds"]))
        newest = progress.wait("Kubernetes to see the template", lambda: _newest(kube), "pulumi up")
        if all(pod.current for pod in _pods(kube.pods(site.units), newest)):
            return {}
        loop = Loop.of(kube, props, progress)

        def decide(view: View, now: float) -> restarts.Step:
            pods = _pods(of_stateful_set(loop.pods, site.units), newest)
            return restarts.next_restart(loop.goal, view, loop.history, now, pods)

        def act(step: restarts.Change, view: View) -> None:
            _take(loop, step, view)

        loop.run(decide, act)
        return prove(loop)


def _pods(found: Iterable[Any], newest: str) -> list[restarts.Pod]:
    return [
        restarts.Pod(
            name=pod.metadata.name,
            current=pod.metadata.labels.get(REVISION_LABEL) == newest,
            ready=ready(pod),
        )
        for pod in found
    ]


def _take(loop: Loop, step: restarts.Change, view: View) -> None:
    match step:
        case MoveLeader(leader, target):
            loop.cluster.move_leader(leader, target)
            loop.progress.say(f"leader moved from {leader.pod} to {target.pod}")
        case restarts.Restart(pod):
            loop.kube.delete_pod(pod)
            count = len(view.voters)
            loop.progress.say(
                f"unit {pod} restarts: {count - 1} of {count} members serve, quorum {view.quorum}"
            )


def _newest(kube: Kube) -> str | Unmet:
    """Kubernetes' name for the declared template, once its controller has seen it."""
    found = kube.stateful_set(kube.site.units)
    if (found.status.observed_generation or 0) < found.metadata.generation:
        return Unmet("its controller has not come to it")
    return found.status.update_revision
