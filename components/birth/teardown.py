"""The end of what belongs to a bootstrap: seeds, their data, the discovery service, the token.

Used by the birth (of an attempt that was not finished), by the handover, and before a destroy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from components.birth import current
from components.birth.tokens import Token
from components.etcd.cluster import Cluster
from components.kube.claims import is_ours
from components.kube.client import Kube
from components.kube.errors import ExecError, plain_errors
from components.kube.pods import ending, of_stateful_set, overdue, running
from components.progress import Progress, SequenceError, Unmet
from components.site import Site

END_SECONDS = 30.0
"""For seeds to end, however late a handover comes to it. It takes them some two seconds."""


def wipe(kube: Kube, progress: Progress, token: str | None = None) -> None:
    """End what an attempt has left, seeds, their data, discovery and token.

    Of one that was never accepted: no client is let in, and no unit can join, before the birth
    mark. Or of one whose seeds have left the cluster. So nothing can be lost.

    `token`: that of the attempt; what another run has in its place is let alone. None: whatever
    is there has no cluster. Raises SequenceError where there is another, and at the deadline.
    """
    site = kube.site
    if token is not None:
        current.require(kube, token)
    for workload in (site.seeds, site.discovery):
        kube.scale(workload, 0)

    def gone() -> bool | Unmet:
        if token is not None:
            current.require(kube, token)
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

    progress.wait(
        "seeds and discovery to end",
        gone,
        "pulumi up, once their nodes answer (docs/runbook.md: a node dies)",
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
            kube.delete_volume(claim)


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
