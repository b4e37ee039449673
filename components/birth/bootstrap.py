"""The seeds' workload and the discovery service while a cluster is born, and their end.

Used by the discovery resource (beginning) and by the handover (end).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from components.birth.tokens import USE_OWN, Token
from components.etcd.cluster import Cluster
from components.kube import recreate
from components.kube.claims import is_ours
from components.kube.client import Kube
from components.kube.errors import ExecError, plain_errors
from components.kube.pods import ending, may_pass, obstacle, of_stateful_set, overdue, running
from components.kube.troubles import more_memory, remedy, words
from components.progress import Progress, SequenceError, Unmet
from components.site import Site

T = TypeVar("T")

PATIENT_SECONDS = 5.0
"""In which a discovery service that has just started is not asked what it lacks."""
END_SECONDS = 30.0
"""For seeds to end, however late a handover comes to it. It takes them some two seconds."""
AGAIN = "pulumi up, which starts over with a new token and empty seeds"


def wipe(kube: Kube, progress: Progress) -> None:
    """End what an attempt has left, seeds, their data, discovery and token.

    Of one that was never accepted: no client is let in, and no unit can join, before the birth
    mark. Or of one whose seeds have left the cluster. So nothing can be lost.
    """
    site = kube.site
    for workload in (site.seeds, site.discovery):
        kube.scale(workload, 0)

    def gone() -> bool | Unmet:
        found, now = kube.pods_and_time()
        seeds = of_stateful_set(found, site.seeds)
        pods = [*seeds, *of_stateful_set(found, site.discovery)]
        claims = kube.volumes(site.seeds)
        if not seeds:
            _delete_volumes(kube, claims)
        left = [p.metadata.name for p in pods]
        left += [f"volume {c.metadata.name}" for c in claims]
        # Who should have gone: its node may be dead.
        late = kube.troubles(p for p in pods if overdue(p, now))
        return Unmet("; ".join([f"still there: {', '.join(left)}", *late])) if left else True

    following = "pulumi up, once their nodes answer (docs/runbook.md: a node dies)"
    progress.wait(
        "seeds and discovery to end",
        gone,
        following,
        poll_seconds=0.2,
        least_seconds=END_SECONDS,
    )
    # Last: by this a run that comes after a cut knows that there is something to end.
    kube.delete_secret(site.discovery)


def _delete_volumes(kube: Kube, claims: Iterable[Any]) -> None:
    """Delete the seeds' claims once no pod of them is left.

    A claim is made before its pod, and Kubernetes deletes it with that alone (whenScaled): one
    whose pod a quota or an admission has refused would stay for ever (kubernetes: CreateStatefulPod
    in stateful_pod_control.go; fixPodClaim in stateful_set_control.go).
    """
    for claim in claims:
        if not ending(claim) and is_ours(kube.site, claim):
            kube.delete_volume(claim.metadata.name)


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
    run = progress.wait(
        "pods of the bootstrap", lambda: _released_and_running(kube, workloads, progress), AGAIN
    )
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


def end(kube: Kube, cluster: Cluster, progress: Progress) -> None:
    """End the seeds' pods and data, the discovery service and its token. Idempotent.

    `cluster`: what is asked to delete the token's keys from a service that is not ours.
    """
    forget(kube, cluster, kube.read_secret(kube.site.discovery), progress)
    wipe(kube, progress)


def forget_unfinished(site: Site, kubeconfig: str) -> None:
    """Before a destroy: what `forget` does, for a token that a cut-off `up` has left.

    Nothing of it keeps a destroy from going on: whoever does not reach the cluster is told so by
    what is to be deleted there.
    """
    progress = Progress("discovery", timeout_seconds=0)
    with suppress(SequenceError), plain_errors(site):
        kube = Kube(kubeconfig, site, patient=False)
        secret = kube.read_secret(site.discovery)
        if secret.get("endpoint", "") in ("", site.discovery_url):
            return  # nothing is left, or v2, or our own service, which goes with its keys
        pods = [p for w in (site.seeds, site.units) for p in kube.pods(w) if running(p)]
        forget(kube, Cluster(kube, [p.metadata.name for p in pods]), secret, progress)


def forget(kube: Kube, cluster: Cluster, secret: Mapping[str, str], progress: Progress) -> None:
    """Delete the token's keys from its discovery service. `secret`: as `run_seeds` has written it.

    A service that does not answer is no reason to fail: the token is used up. Ours ends with all
    its keys anyway; what is left at another one is told.
    """
    if secret.get("protocol") != "v3":
        return
    token = Token("v3", secret["token"], secret["endpoint"])
    try:
        cluster.etcdctl("del", "--prefix", token.prefix, endpoints=[token.endpoint])
    except ExecError as error:
        if token.endpoint != kube.site.discovery_url:
            progress.say(
                f"{token.endpoint} still holds the keys of a used token, since it did not answer "
                f"({error}); they harm nothing"
            )


def _released_and_running(
    kube: Kube, workloads: dict[str, int], progress: Progress
) -> dict[str, str] | Unmet:
    """By name the unique IDs of the pods that run, once all do."""
    pending: list[str] = []
    found, now = kube.pods_and_time()
    for workload, size in workloads.items():
        pods = of_stateful_set(found, workload)
        if not recreate.held_are_newest(kube, workload, pods, progress):
            pending.append(f"{workload}: its pods are not of the newest template yet")
            continue
        kube.release(pods)
        _require_no_obstacle(pods, now)
        pending += kube.troubles(p for p in pods if not running(p))
        if len(pods) < size:
            pending.append(f"{workload}: {len(pods)} of {size} pods made{kube.refusal(workload)}")
    if not pending:
        return _unique_ids(found, workloads)
    recreate.outdated_units(kube, of_stateful_set(found, kube.site.units), progress)
    return Unmet("; ".join(pending))


def _require_no_obstacle(pods: Iterable[Any], now: datetime) -> None:
    for pod in pods:
        problem = obstacle(pod)
        if problem and not may_pass(pod, now):
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
    there, now = kube.pods_and_time()
    pods = [p for w in (kube.site.seeds, kube.site.discovery) for p in of_stateful_set(there, w)]
    _require_no_obstacle(pods, now)
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
