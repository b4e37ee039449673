"""Shows the plan of a scale or a rolling change from the live membership, and may refuse it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pulumi.output import Unknown

from components.change import restarts, room
from components.change.balance import workload
from components.change.forecast import Forecast, require
from components.change.loop import Loop
from components.change.plan import reached
from components.change.rollout import require_a_copy
from components.change.strangers import StrangerError
from components.etcd import lock
from components.etcd.cluster import Cluster, NoUserError
from components.etcd.corruption import CorruptError
from components.kube.client import Kube
from components.kube.errors import plain_errors
from components.kube.pods import of_stateful_set, ready_first
from components.preflight import versions
from components.progress import Progress, SequenceError, Unmet
from components.site import Site
from containers.etcd.supervisor.membership import View

_FINAL = (lock.AnotherClusterError, room.TooSmallError, StrangerError, NoUserError, CorruptError)
"""What stops a preview, since every sequence would end by it: before Kubernetes gets a template."""

_NEEDED = ("kubeconfig", "cluster_id", "birth", "units", "min_tolerance")


_LEFT = ", left unfinished by an earlier up"


def preview_scale(props: Mapping[str, Any], *, resumed: bool = False) -> None:
    """Print what a change of the count will do, step by step.

    Changes nothing. Says so where the cluster cannot be asked. Raises SequenceError for a plan
    that goes below `min_tolerance`, for a quota that is too small, for units whose etcd may not
    join those that run, beside a member that is neither a seed nor a unit, and if it is another
    cluster that answers.

    `resumed`: nobody asks for another count now, an earlier change was cut off.
    """
    _preview(f"change of the count{_LEFT if resumed else ''}", props, restart=False)


def preview_restarts(props: Mapping[str, Any]) -> None:
    """The same for a rolling change of all units, on top of a scale that comes first."""
    unknown = isinstance(props.get("template"), Unknown)
    what = "rolling change, if the image differs" if unknown else "rolling change"
    _preview(what, props, restart=True, certain=not unknown)


def preview_unfinished_restarts(props: Mapping[str, Any], newest: str | None) -> None:
    """The same where the template is as it was, and not all units may have it.

    `newest`: Kubernetes' name for it, of when all had it; None where that was not noted.
    """
    what = f"rolling change{_LEFT}"
    if newest is None:
        _lines().say(f"{what}: no steps to show, which units are left is seen when it runs")
        return
    _preview(what, props, restart=True, newest=newest)


def preview_quota(site: Site, props: Mapping[str, Any]) -> None:
    """Raise TooSmallError where the database does not fit into etcd's quota of `props`.

    Says so where the cluster cannot be asked: the rolling change looks again, at every unit.
    """
    quota = props["quota"]
    units, view = _seen(site, props, [site.units], lambda units: room.lowered(quota, units))
    if isinstance(view, Unmet):
        _lines().say(f"whether the database fits into a smaller quota is not known: {view.reason}")
    elif view is not None:
        room.require(quota, units, view)


def preview_version(site: Site, props: Mapping[str, Any], *, grows: bool) -> None:
    """Raise VersionStepError where members run what `props["version"]` may not follow.

    `grows`: whether more units are wanted as well.

    What they run, not what was configured last: an `up` may have ended before any unit had it, or
    when some had. Says so where none can be asked; where none runs etcd looks at its data itself,
    and does not start with those of a later minor.
    """
    _, view = _seen(site, props, [site.units, site.seeds])
    wanted = str(props["version"])
    if isinstance(view, Unmet):
        say = f"whether etcd {wanted} may follow what the members run is not known: {view.reason}"
        _lines().say(say)
    elif view is not None:
        versions.require(wanted, view, grows=grows)


def _lines() -> Progress:
    """Says what is foretold; nothing is waited for."""
    return Progress("plan", timeout_seconds=0)


def _seen(
    site: Site,
    props: Mapping[str, Any],
    workloads: Iterable[str],
    needed: Callable[[list[Any]], bool] = lambda _pods: True,
) -> tuple[list[Any], View | Unmet | None]:
    """The pods of these workloads, and the cluster as their members have it.

    Unmet if it cannot be asked; None where nobody asks, since these pods tell that it is not
    `needed`.
    """
    try:
        with plain_errors(site):
            kube = Kube(str(props["kubeconfig"]), site, patient=False)
            kube.version()
            pods = ready_first(pod for workload in workloads for pod in kube.pods(workload))
            if not needed(pods):
                return pods, None
            return pods, Cluster(kube, [pod.metadata.name for pod in pods]).view()
    except SequenceError as error:
        return [], Unmet(error.problem)


def _preview(
    what: str,
    props: Mapping[str, Any],
    *,
    restart: bool,
    newest: str = "",
    certain: bool = True,
) -> None:
    """`newest`: pods of this revision do not restart; `certain`: all others do."""
    progress = _lines()
    model = _model(props, newest)
    if isinstance(model, Unmet):
        progress.say(f"{what}: no steps to show, {model.reason}")
        return
    if not restart:
        # Again, since the preflight has not seen this growth where an `up` was cut off after it.
        voters = {m.pod for m in model.view.voters}
        grows = not voters.issuperset(model.goal.pods)
        versions.require(str(props["version"]), model.view, grows=grows)
    if restart and certain:
        require_a_copy(model.goal, model.pods)
    if restart and not reached(model.goal, model.view, model.workload):
        # On top of a change of the count, which is shown where it belongs.
        model.scale().stages.clear()
    first = model.now
    progress.say(f"{what}, from the live membership: {first}")
    _ = model.restart() if restart else model.scale()
    for number, stage in enumerate(model.stages, 1):
        progress.say(f"{number}. {stage}")
    require(first, model.stages, int(props["min_tolerance"]))


def _model(props: Mapping[str, Any], newest: str) -> Forecast | Unmet:
    """The cluster as it is; Unmet if it cannot be asked."""
    if any(isinstance(props.get(key), Unknown | None) for key in _NEEDED):
        return Unmet("the cluster is not known before it is made")
    site = Site.of(props)
    try:
        with plain_errors(site):
            kube = Kube(str(props["kubeconfig"]), site, patient=False)
            kube.version()
            loop = Loop.of(kube, props, _lines())
            view = loop.look()
            if isinstance(view, Unmet):
                return view
            units = of_stateful_set(loop.pods, site.units)
            room.require(props.get("quota") or {}, units, view)
            seen = restarts.seen(units, newest, loop.pods_at)
            return Forecast(loop.goal, view, workload(loop), seen)
    except _FINAL:
        raise
    except SequenceError as error:
        return Unmet(error.problem)
