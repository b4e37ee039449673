"""Pods that are recreated since they do not come, where nothing goes with them.

Those of an older template Kubernetes makes from the template of now once they are deleted, but
would itself wait for ever until they are ready (StatefulSet: "Forced rollback").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from components.kube.client import Kube
from components.kube.pods import ending, gated, is_current, pulled_in_vain, stuck
from components.progress import Progress

_CHANGED = "since its template has changed"


def recreate(
    kube: Kube,
    pods: Iterable[Any],
    newest: str,
    voters: Collection[str] | None,
    progress: Progress,
) -> list[Any]:
    """Delete those of these pods that cannot start and take no data along; returns them.

    `newest`: Kubernetes' name for the template of now. `voters`: see `pods.may_be_recreated`.
    """
    return _delete(kube, stuck(pods, newest, voters), progress, _CHANGED)


def pull_again(kube: Kube, pods: Iterable[Any], at: datetime, progress: Progress) -> list[Any]:
    """Delete those of these pods that an earlier `up` has left without their image; returns them.

    What was amiss may be well by now and no template tell of it: a password, a node's right to
    pull, the registry. A new pod is pulled for at once, this one after up to five minutes
    (MaxContainerBackOff in pkg/kubelet/kubelet.go; by pod, in pkg/kubelet/images/image_manager.go).

    `at`: the API server's time.
    """
    since = progress.began(at)
    left = [pod for pod in pods if pulled_in_vain(pod, since)]
    return _delete(kube, left, progress, "to pull its image anew")


def held_are_newest(kube: Kube, workload: str, pods: Collection[Any], progress: Progress) -> bool:
    """Whether those of a workload's pods that are held may be let start; recreates others.

    They may be held since an `up` with other settings, which came to no seeds.
    """
    if not any(gated(pod) for pod in pods):
        return True
    newest = kube.newest_revision(workload)
    return newest is not None and not recreate(kube, pods, newest, None, progress)


def outdated_units(kube: Kube, units: Collection[Any], progress: Progress) -> None:
    """Recreate all units of an older template, while a cluster is being born.

    What they ask of their nodes may be what seeds lack, and what was corrected. There is no cluster
    yet of which one could be a member, and none has data.
    """
    newest = kube.newest_revision(kube.site.units) if units else None
    if newest is None:
        return
    old = [pod for pod in units if not (is_current(pod, newest) or ending(pod))]
    _delete(kube, old, progress, _CHANGED)


def _delete(kube: Kube, pods: list[Any], progress: Progress, why: str) -> list[Any]:
    for pod in pods:
        kube.delete_pod(pod)
    if pods:
        names = ", ".join(pod.metadata.name for pod in pods)
        progress.say(f"recreated, {why}: {names}")
    return pods
