"""The seeds' workload and the discovery service while a cluster is born, and their end.

Used by the discovery resource (beginning) and by the handover (end).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping

from components.dynamic.cluster import Cluster
from components.dynamic.kube import ExecError, Kube
from components.dynamic.lock import Lock
from components.dynamic.pods import obstacle, ready, running
from components.dynamic.progress import Progress, SequenceError, Unmet
from components.dynamic.tokens import USE_OWN, Token
from containers.etcd.supervisor.birth import BIRTH_KEY
from containers.etcd.supervisor.membership import View

AGAIN = "pulumi up, which starts over with a new token and empty seeds"


def born_cluster(kube: Kube) -> Lock | None:
    """The cluster whose bootstrap was accepted already, if a member of it runs.

    A seed counts as soon as it runs, a unit when it is ready: before, it has nothing to say.
    """
    seeds = [p for p in kube.pods(kube.site.seeds) if running(p)]
    units = [p for p in kube.pods(kube.site.units) if ready(p)]
    for pod in [*units, *seeds]:
        cluster = Cluster(kube, [pod.metadata.name], seconds=1)
        try:
            birth = cluster.get(BIRTH_KEY)
            view = cluster.view() if birth else Unmet("not accepted")
            if not isinstance(view, Unmet):
                return _lock(view, birth)
        except ExecError:
            continue  # not formed, or without a leader: another member may answer
    return None


def wipe(kube: Kube, progress: Progress) -> None:
    """End what an attempt left that was never accepted: seeds, their data, discovery, token.

    Nothing can be lost: no client is let in, and no unit can join, before the birth mark.
    """
    site = kube.site
    kube.delete_secret(site.discovery)
    for workload in (site.seeds, site.discovery):
        kube.scale(workload, 0)

    def gone() -> bool | Unmet:
        left = [p.metadata.name for w in (site.seeds, site.discovery) for p in kube.pods(w)]
        left += [f"volume {c.metadata.name}" for c in kube.volumes(site.seeds)]
        return Unmet(f"still there: {', '.join(left)}") if left else True

    progress.wait("seeds and discovery to end", gone, "pulumi up", poll_seconds=0.2)


def run_seeds(kube: Kube, token: Token, size: int, progress: Progress, *, own: bool) -> Cluster:
    """Let `size` seeds form a cluster with a fresh token; return it when all of them vote.

    `own`: the discovery service is the one in the namespace, started here. Raises SequenceError
    when a seed cannot start, when its etcd ended early, when our discovery service is lost, or at
    the deadline.
    """
    site = kube.site
    kube.write_secret(
        site.discovery,
        {"protocol": token.protocol, "token": token.value, "endpoint": token.endpoint},
    )
    if own:
        kube.scale(site.discovery, 1)
    kube.scale(site.seeds, size)
    workloads = {site.seeds: size, **({site.discovery: 1} if own else {})}
    progress.wait("pods of the bootstrap", lambda: _released_and_running(kube, workloads), AGAIN)
    progress.phase_done("pods")
    progress.say(f"{size} seeds run, discovery by {token.protocol}")
    pods = [f"{site.seeds}-{i}" for i in range(size)]
    service = [p.metadata.uid for p in kube.pods(site.discovery)] if own else None

    def judged(found: bool | Unmet) -> bool | Unmet:
        return not_lost(kube, service, _with_troubles(kube, found))

    if token.protocol == "v3":
        progress.wait(
            "the discovery service",
            lambda: judged(_size_put(kube, token, size, pods[0])),
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
    return first


def accept(cluster: Cluster, token: Token) -> Lock:
    """Write the birth mark: from here on clients and units are let in."""
    view = cluster.view()
    if isinstance(view, Unmet):
        raise SequenceError(view.reason, AGAIN)
    mark = {
        "clusterId": f"{view.cluster_id:x}",
        "token": hashlib.sha256(token.value.encode()).hexdigest()[:16],
        "born": int(time.time()),
    }
    birth = json.dumps(mark)
    cluster.put(BIRTH_KEY, birth)
    return _lock(view, birth)


def _lock(view: View, birth: str) -> Lock:
    return Lock(f"{view.cluster_id:x}", birth, max(s.revision for s in view.statuses.values()))


def end(kube: Kube, cluster: Cluster | None, progress: Progress) -> None:
    """End the seeds' pods and data, the discovery service and its token. Idempotent.

    `cluster`: what is asked to delete the token's keys from a service that is not ours.
    """
    if cluster is not None:
        forget(kube, cluster, kube.read_secret(kube.site.discovery), progress)
    wipe(kube, progress)


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
                f"({str(error).strip().splitlines()[-1]}); they harm nothing"
            )


def _released_and_running(kube: Kube, workloads: dict[str, int]) -> bool | Unmet:
    pending: list[str] = []
    for workload, size in workloads.items():
        pods = kube.pods(workload)
        kube.release(pods)
        for pod in pods:
            problem = obstacle(pod)
            if problem:
                raise SequenceError(problem, _remedy(problem))
        pending += kube.troubles(p for p in pods if not running(p))
        if len(pods) < size:
            pending.append(f"{workload}: {len(pods)} of {size} pods made{kube.refusal(workload)}")
    return Unmet("; ".join(pending)) if pending else True


def _remedy(problem: str) -> str:
    if "mage" in problem:
        return "check image.registry, image.digest and the nodes' right to pull, then pulumi up"
    return "pulumi up"


def _size_put(kube: Kube, token: Token, size: int, pod: str) -> bool | Unmet:
    """Put the size key from a seed's pod, which is where the service must be reachable."""
    etcdctl = ("etcdctl", f"--endpoints={token.endpoint}", "--command-timeout=500ms")
    try:
        kube.exec(pod, *etcdctl, "put", token.size_key, str(size))
    except ExecError as error:
        return Unmet(f"{token.endpoint}: {str(error).splitlines()[-1]}")
    return True


def not_lost(kube: Kube, service: list[str] | None, found: bool | Unmet) -> bool | Unmet:
    """Return what was found, unless nothing more can come: our discovery service has another pod.

    With the first one went its keys, and whom the seeds wait for. `service`: the pods' unique IDs;
    None for a service that is not ours. Raises SequenceError.
    """
    if service is None or not isinstance(found, Unmet):
        return found
    if [p.metadata.uid for p in kube.pods(kube.site.discovery)] != service:
        raise SequenceError("the discovery service's pod was lost, and its keys with it", AGAIN)
    return found


def _with_troubles(kube: Kube, found: bool | Unmet) -> bool | Unmet:
    """Return what was found; to what is missing, add what Kubernetes knows of the pods' troubles,
    such as a node that is not ready any more."""
    if not isinstance(found, Unmet):
        return found
    site = kube.site
    troubles = kube.troubles(p for w in (site.seeds, site.discovery) for p in kube.pods(w))
    return Unmet("; ".join([found.reason, *troubles]))


def _formed(kube: Kube, cluster: Cluster, pods: list[str]) -> bool | Unmet:
    view = cluster.view()
    if isinstance(view, Unmet):
        for pod in pods:
            status = kube.supervisor_status(pod)
            if status.get("failed"):
                raise SequenceError(f"seed {pod}: {status['phase']}", AGAIN)
        return view
    up = [m for m in view.voters if m.started and m.id in view.statuses]
    if view.leader is not None and len(up) == len(pods):
        return True
    return Unmet(f"{len(up)} of {len(pods)} seeds answer as voters")
