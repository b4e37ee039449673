"""Shows the plan of a scale or a rolling change from the live membership, and may refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi.output import Unknown

from components.dynamic import lock
from components.dynamic.balance import workload
from components.dynamic.forecast import Forecast, too_low
from components.dynamic.kube import Kube, plain_errors
from components.dynamic.loop import Loop
from components.dynamic.progress import Progress, SequenceError, Unmet
from components.dynamic.site import Site

_NEEDED = ("kubeconfig", "cluster_id", "birth", "units", "min_tolerance")


def foretell_scale(props: Mapping[str, Any]) -> None:
    """Print what a change of the count will do, step by step.

    Changes nothing. Says so where the cluster cannot be asked. Raises SequenceError for a plan
    that goes below `min_tolerance`, and if it is another cluster that answers.
    """
    _foretell("change of the count", props, restart=False)


def foretell_restarts(props: Mapping[str, Any]) -> None:
    """The same for a rolling change of all units, on top of a scale that comes first."""
    unknown = isinstance(props.get("template"), Unknown)
    what = "rolling change, if the image differs" if unknown else "rolling change"
    _foretell(what, props, restart=True)


def _foretell(what: str, props: Mapping[str, Any], *, restart: bool) -> None:
    progress = Progress("plan", timeout_seconds=0)
    model = _model(props)
    if isinstance(model, Unmet):
        progress.say(f"{what}: no steps to show, {model.reason}")
        return
    if restart:
        # On top of a change of the count, which is shown where it belongs.
        model.scale().stages.clear()
    first = model.now
    progress.say(f"{what}, from the live membership: {first}")
    _ = model.restart() if restart else model.scale()
    for number, stage in enumerate(model.stages, 1):
        progress.say(f"{number}. {stage}")
    least = int(props["min_tolerance"])
    found = too_low(first, model.stages, least)
    if found:
        raise SequenceError(
            f"refused: {found}; etcd:units.minTolerance is {least}",
            f"pulumi config set --path etcd:units.minTolerance {found.tolerance}, "
            "or more units first",
        )


def _model(props: Mapping[str, Any]) -> Forecast | Unmet:
    """The cluster as it is; Unmet if it cannot be asked."""
    if any(isinstance(props.get(key), Unknown | None) for key in _NEEDED):
        return Unmet("the cluster is not known before it is made")
    site = Site.of(props)
    try:
        with plain_errors(site):
            kube = Kube(str(props["kubeconfig"]), site, patient=False)
            kube.version()
            loop = Loop.of(kube, props, Progress("plan", timeout_seconds=0))
            view = loop.look()
            return view if isinstance(view, Unmet) else Forecast(loop.goal, view, workload(loop))
    except lock.AnotherClusterError:
        raise
    except SequenceError as error:
        return Unmet(error.problem)
