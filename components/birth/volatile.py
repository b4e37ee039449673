"""A cluster that lives in units without volumes, where no lock can stand.

A birth finds one where it is asked for although units run: a destroy was cut off before their
workload had gone, for example. Then nothing but these units knows of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.birth import acceptance
from components.etcd.lock import Lock
from components.kube.client import Kube
from components.kube.pods import (
    ending,
    never_started,
    obstacle,
    on_volume,
    pull_failed,
    ready_first,
)
from components.kube.troubles import remedy
from components.progress import Progress, SequenceError, Unmet

POLL_SECONDS = 0.5
"""Units that have just started are asked again; each question takes the processor from them."""


def in_units(kube: Kube, progress: Progress) -> Lock | None:
    """The cluster that the units hold; None if they hold none, as before a first birth.

    No answer is no proof that there is nothing. Raises SequenceError at the deadline, and for a
    unit that cannot answer any more: one that has run and waits for its image again still may.
    """
    return progress.wait(
        "the units to say which cluster they hold",
        lambda: _held(kube),
        "bring the units back, then pulumi up; or, if what they hold may be lost, "
        "pulumi destroy, then pulumi up",
        poll_seconds=POLL_SECONDS,
    )


def holds_data(status: Mapping[str, Any]) -> bool | None:
    """Whether a unit holds a cluster's data, by its supervisor's status; None: not known yet.

    `data` is null where it does not know (see the supervisor's `Health.data`); where it has joined
    since it looked it says `etcd`.
    """
    return True if status.get("etcd") else status.get("data")


def _held(kube: Kube) -> Lock | Unmet | None:
    pods = [pod for pod in kube.pods(kube.site.units) if _may_hold(pod)]
    told = {
        pod.metadata.name: holds_data(kube.supervisor_status(pod.metadata.name))
        for pod in ready_first(pods)
    }
    holding = [name for name, holds in told.items() if holds]
    silent = [name for name, holds in told.items() if holds is None]
    found = acceptance.marked(kube, holding) if holding else None
    if isinstance(found, Lock):
        return found
    for pod in pods:
        problem = obstacle(pod)
        if problem and not pull_failed(pod):
            raise SequenceError(problem, _remedy(kube, pod))
    if found is None and not silent:
        return None
    reason = (
        f"a cluster is in {', '.join(holding)}: {found.reason}"
        if found
        else f"no word of what they hold from {', '.join(silent)}"
    )
    return Unmet("; ".join([reason, *kube.troubles(pods)]))


def _remedy(kube: Kube, pod: Any) -> str:
    """With the settings corrected alone it is the same pod, and only a person knows whether a
    cluster is in it. All units: any other may be the next that is found to crash."""
    site = kube.site
    next_step = remedy(pod, "units")
    return (
        "if what the units hold may be lost, as where no cluster was born yet, "
        f"{site.kubectl('scale', 'statefulset', site.units, '--replicas=0')}, since a pod keeps "
        f"the template that it was made from; then {next_step}"
    )


def _may_hold(pod: Any) -> bool:
    """Not one that ends, since what it has ends with it."""
    return not (ending(pod) or on_volume(pod) or never_started(pod))
