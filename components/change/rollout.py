"""The sequence behind `Rollout`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.change import restarts, room
from components.change.balance import workload
from components.change.forecast import Forecast, require
from components.change.loop import Loop
from components.change.plan import Goal, Wait
from components.change.proof import prove
from components.kube.client import Kube
from components.kube.errors import plain_errors
from components.kube.pods import newest_revision, of_stateful_set
from components.names import ROLLOUT, TEMPLATE_ANNOTATION
from components.progress import Progress, SequenceError, Unmet
from components.site import Site
from containers.etcd.supervisor.membership import View


def roll(site: Site, props: Mapping[str, Any], *, resumed: bool) -> dict[str, Any]:
    """Restart every unit that is not of the declared template. Raises SequenceError.

    `resumed`: the template is as it was, and some sequence was cut off. Where that has left this
    one nothing to do, the members' health is not asked for.

    Returns what becomes of the resource's outputs: `controller_revision`, Kubernetes' name for that
    template, and `proof`, which is the one of before where nothing was to be done.
    """
    with plain_errors(site):
        kube = Kube(str(props["kubeconfig"]), site)
        progress = Progress.of(ROLLOUT, props)
        template = str(props["template"])
        newest = progress.wait(
            "Kubernetes to see the template", lambda: _newest(kube, template), "pulumi up"
        )
        outs = {"proof": props.get("proof") or {}}
        loop = Loop.of(kube, props, progress)

        def units() -> list[restarts.Pod]:
            found = of_stateful_set(loop.pods, site.units)
            return restarts.seen(found, newest, loop.pods_at)

        there = units()
        # Before it has begun a drain may have made units from a template by which none starts.
        done = all(p.current for p in there) if resumed else restarts.all_run(loop.goal, there)
        # One of its own that was cut off may not have been proved.
        if done and ROLLOUT not in props.get("unfinished", ()):
            return {**outs, "controller_revision": newest}
        require_a_copy(loop.goal, there)
        kube.note_unfinished(ROLLOUT, unfinished=True)

        def decide(view: View, now: float) -> restarts.Step:
            # Anew each time: units come back with the template of then. Where others change it
            # meanwhile (kubectl rollout restart, an operator) each would else restart for ever.
            nonlocal newest
            found = kube.newest_revision(site.units)
            if found is None:
                return Wait("Kubernetes has not seen the template yet")
            newest = found
            room.require(props["quota"], of_stateful_set(loop.pods, site.units), view)
            there = units()
            require_a_copy(loop.goal, there)
            return restarts.next_restart(loop.goal, view, loop.history, now, there)

        def judge(view: View) -> None:
            model = Forecast(loop.goal, view, workload(loop), units())
            require(model.now, model.restart().stages, int(props["min_tolerance"]))

        loop.run(decide, loop.take, judge)
        outs["proof"] = prove(loop)
        kube.note_unfinished(ROLLOUT, unfinished=False)
        return {**outs, "controller_revision": newest}


def require_a_copy(goal: Goal, pods: Sequence[restarts.Pod]) -> None:
    """Raise SequenceError where a rolling change would take the last copy of the data with it."""
    lost = restarts.loss(goal, pods)
    if lost is not None:
        raise SequenceError(
            f"refused: {lost.name} is the only unit and has no volume (etcd:storage.kind): its "
            "restart would lose all data",
            "pulumi config set --path etcd:units.count 3, so that units restart one at a time and "
            "the others keep the data; or, if it may be lost, pulumi destroy, then pulumi up",
        )


def _newest(kube: Kube, template: str) -> str | Unmet:
    """Kubernetes' name for the declared template, once its controller has seen it.

    Raises SequenceError where Kubernetes was never given that template.
    """
    found = kube.stateful_set(kube.site.units)
    if (found.metadata.annotations or {}).get(TEMPLATE_ANNOTATION) != template:
        # The plugin leaves all objects as they are in a run in which it did not reach the cluster
        # at first (skipUpdateUnreachable), with no more than a warning; so does --target.
        raise SequenceError(
            f"StatefulSet {kube.site.units} of namespace {kube.site.namespace} has not been given "
            "the declared template: Pulumi did not reach Kubernetes when it was to be changed, or "
            "was told by --target to leave it",
            "pulumi up",
        )
    return newest_revision(found) or Unmet("the StatefulSet controller has not observed it yet")
