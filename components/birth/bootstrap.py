"""The seeds' workload and the discovery service while a cluster is born."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

from components.birth import current
from components.birth.tokens import USE_OWN, Token
from components.etcd.cluster import Cluster
from components.kube import recreate
from components.kube.client import Kube
from components.kube.errors import ExecError
from components.kube.pods import may_pass, obstacle, of_stateful_set, running
from components.kube.troubles import more_memory, remedy, words
from components.progress import Progress, SequenceError, Unmet

T = TypeVar("T")

PATIENT_SECONDS = 5.0
"""In which a discovery service that has just started is not asked what it lacks."""
AGAIN = "pulumi up, which starts over with a new token and empty seeds"


def run_seeds(kube: Kube, token: Token, size: int, progress: Progress, *, own: bool) -> Cluster:
    """Let `size` seeds form a cluster with a fresh token; return it when all of them vote.

    It is given to nobody yet: see `components.birth.acceptance`.

    `own`: the discovery service is the one in the namespace, started here. Raises SequenceError
    when a seed cannot start, when its etcd ended early, when our discovery service is lost, or at
    the deadline.
    """
    site = kube.site
    kube.write_secret(site.discovery, token.secret)
    if own:
        kube.scale(site.discovery, 1)
    kube.scale(site.seeds, size)
    workloads = {site.seeds: size, **({site.discovery: 1} if own else {})}

    def started() -> dict[str, str] | Unmet:
        # Units are recreated meanwhile: in the cluster of a run that has overtaken this one they
        # are members.
        current.require(kube, token.value)
        return _released_and_running(kube, workloads, progress)

    run = progress.wait("pods of the bootstrap", started, AGAIN)
    progress.phase_done("pods")
    progress.say(f"{size} seeds run, discovery by {token.protocol}")
    pods = [f"{site.seeds}-{i}" for i in range(size)]

    def judged(found: bool | Unmet) -> bool | Unmet:
        return not_lost(kube, run, with_troubles(kube, found))

    if token.protocol == "v3":
        began = time.monotonic()
        progress.wait(
            "the discovery service",
            lambda: judged(_told(kube, began, _size_put(kube, token, size, pods[0]), own=own)),
            AGAIN if own else USE_OWN,
            # A service that exists already either answers soon or not at all.
            limit_seconds=None if own else 30,
        )
    progress.phase_done("token")
    # While discovery goes on, etcd takes connections and never answers: ask one seed, briefly.
    first = Cluster(kube, pods[:1], seconds=1)
    progress.wait(
        "the seeds to form a cluster",
        lambda: judged(_formed(kube, first, pods)),
        AGAIN,
    )
    progress.phase_done("cluster formed")
    return Cluster(kube, pods)


def _released_and_running(
    kube: Kube, workloads: dict[str, int], progress: Progress
) -> dict[str, str] | Unmet:
    """By name the unique IDs of the pods that run, once all do."""
    pending: list[str] = []
    found, _ = kube.pods_and_time()
    for workload, size in workloads.items():
        pods = of_stateful_set(found, workload)
        if not recreate.held_are_newest(kube, workload, pods, progress):
            pending.append(f"{workload}: its pods are not of the newest template yet")
            continue
        kube.release(pods)
        _require_no_obstacle(kube, pods)
        waiting = [p for p in pods if not running(p)]
        pending += kube.troubles(waiting, still=progress.stands_still)
        if len(pods) < size:
            pending.append(f"{workload}: {len(pods)} of {size} pods made{kube.refusal(workload)}")
    if not pending:
        return _unique_ids(found, workloads)
    recreate.outdated_units(kube, of_stateful_set(found, kube.site.units), progress)
    return Unmet("; ".join(pending))


def _require_no_obstacle(kube: Kube, pods: Collection[Any]) -> None:
    failed = kube.failed_pulls(pods)
    for pod in pods:
        problem = obstacle(pod)
        if problem and not may_pass(pod, failed):
            # The discovery service has as much memory as a seed.
            raise SequenceError(problem, remedy(pod, "seeds"))


def _size_put(kube: Kube, token: Token, size: int, pod: str) -> bool | Unmet:
    """Put the size key from a seed's pod, which is where the service must be reachable."""
    etcdctl = ("etcdctl", f"--endpoints={token.endpoint}", "--command-timeout=500ms")
    try:
        kube.exec(pod, *etcdctl, "put", token.size_key, str(size))
    except ExecError as error:
        return Unmet(f"{token.endpoint}: {error}")
    return True


def _told(kube: Kube, began: float, found: bool | Unmet, *, own: bool) -> bool | Unmet:
    """Return what was found; to what is missing for long, add what our discovery service says of
    itself: it may run, as Kubernetes sees it, and wait inside."""
    if not (own and isinstance(found, Unmet)) or time.monotonic() - began < PATIENT_SECONDS:
        return found
    pod = f"{kube.site.discovery}-0"
    return Unmet(f"{found.reason}; {pod}: {words(kube.supervisor_status(pod), 'seeds')}")


def not_lost(kube: Kube, run: Mapping[str, str], found: bool | Unmet) -> bool | Unmet:
    """Return what was found, unless nothing more can come: one of the pods that `run` is lost.

    With our discovery service went its keys, and whom the seeds wait for. What comes in the place
    of a seed, after a drain for example, is held by its gate, and its ID is used up. `run`: by name
    the unique IDs. Raises SequenceError.
    """
    if not isinstance(found, Unmet):
        return found
    found_now, _ = kube.pods_and_time()
    there = _unique_ids(found_now, (kube.site.seeds, kube.site.discovery))
    lost = [name for name, uid in run.items() if there.get(name) != uid]
    if f"{kube.site.discovery}-0" in lost:
        raise SequenceError("the discovery service's pod was lost, and its keys with it", AGAIN)
    if lost:
        problem = f"lost before the cluster had formed, with a token that is used up: {lost[0]}"
        raise SequenceError(problem, AGAIN)
    return found


def _unique_ids(found: Iterable[Any], workloads: Iterable[str]) -> dict[str, str]:
    """By name, of those pods that are of these workloads."""
    there = list(found)
    pods = [p for workload in workloads for p in of_stateful_set(there, workload)]
    return {p.metadata.name: str(p.metadata.uid) for p in pods}


def with_troubles(kube: Kube, found: T | Unmet) -> T | Unmet:
    """Return what was found; to what is missing, add what Kubernetes knows of the pods' troubles,
    such as a node that is not ready any more. Raises SequenceError for one that will not start."""
    if not isinstance(found, Unmet):
        return found
    there, _ = kube.pods_and_time()
    pods = [p for w in (kube.site.seeds, kube.site.discovery) for p in of_stateful_set(there, w)]
    _require_no_obstacle(kube, pods)
    return Unmet("; ".join([found.reason, *kube.troubles(pods)]))


def _formed(kube: Kube, cluster: Cluster, pods: list[str]) -> bool | Unmet:
    """Whether all seeds vote. Raises SequenceError for one that can do so no more: the others may
    be a quorum without it."""
    view, up = cluster.view(), list[str]()
    if not isinstance(view, Unmet):
        up = [m.pod for m in view.voters if m.started and m.id in view.statuses]
        if view.leader is not None and len(up) == len(pods):
            return True
        view = Unmet(f"{len(up)} of {len(pods)} seeds answer as voters")
    missing = [p for p in kube.pods(kube.site.seeds) if p.metadata.name not in up]
    statuses = kube.supervisor_statuses(missing)
    for pod in missing:
        status = statuses.get(pod.metadata.name, {})
        if status.get("failed"):
            said = f"seed {pod.metadata.name}: {words(status, 'seeds')}"
            problem = "; ".join([said, *kube.troubles([pod])])
            raise SequenceError(problem, more_memory(pod, "seeds", status) or AGAIN)
    return view
