"""Which held seeds may start once the cluster is accepted: those that come back to its data.

A seed's pod that is recreated, after a drain or the end of its node, is held by its gate again.
On the disk that it had it goes on where it was. On an empty one it would be an old member without
its data: that one stays held. So what the data lies on is noted at the acceptance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.kube.claims import claim_name
from components.kube.client import Kube
from components.kube.pods import ending, gated, of_stateful_set, running
from components.kube.recreate import recreate
from components.progress import Progress

NOTE = "accepted"
"""Key of the bootstrap's Secret: the unique IDs of all that the seeds' data lies on."""


def noted(secret: Mapping[str, str]) -> frozenset[str]:
    """What is noted in the bootstrap's Secret; empty where nothing was accepted."""
    return frozenset(secret.get(NOTE, "").split())


def unaccepted(secret: Mapping[str, str]) -> bool:
    """Whether an attempt that let nobody in has left it.

    Then the units hold no cluster: it is written after they were found empty, and none can join
    before the note.
    """
    return bool(secret) and NOTE not in secret


def disk(pod: Any, claims: Iterable[Any]) -> set[str]:
    """What a pod's data lies on, by unique IDs: its claim, or in memory and the like itself."""
    claimed = {
        str(claim.metadata.uid)
        for claim in claims
        # A claim that goes is recreated, empty, for a pod that has not started on it.
        if claim.metadata.name == claim_name(pod.metadata.name) and not ending(claim)
    }
    return {str(pod.metadata.uid), *claimed}


def disks(pods: Iterable[Any], claims: Iterable[Any]) -> set[str]:
    """What is to be noted. Not of seeds that are held: theirs was recreated, perhaps, since they
    have formed the cluster."""
    found = list(claims)
    return {uid for pod in pods if not gated(pod) for uid in disk(pod, found)}


def _returning(pods: Iterable[Any], claims: Iterable[Any], known: frozenset[str]) -> list[Any]:
    """Those held seeds that come back to noted data."""
    found = list(claims)
    return [pod for pod in pods if gated(pod) and not known.isdisjoint(disk(pod, found))]


def see_to(kube: Kube, progress: Progress, pods: Iterable[Any]) -> list[str]:
    """Let those seeds start that come back to the cluster's data.

    Returns what is amiss with the others: who stays held, and what Kubernetes knows of those that
    are not ready. `pods`: the seeds are among them; only where one is held more is asked.
    """
    seeds = of_stateful_set(pods, kube.site.seeds)
    held = [pod for pod in seeds if gated(pod)]
    others = [pod for pod in seeds if not gated(pod)]
    amiss = _release(kube, progress, held) if held else []
    _renew(kube, progress, others)
    return amiss + kube.troubles(others, still=progress.stands_still)


def _renew(kube: Kube, progress: Progress, seeds: Iterable[Any]) -> None:
    """Recreate those that cannot start, once their template is corrected. They come back held, and
    are let start on the claim that they had, if that is noted."""
    failed = [pod for pod in seeds if not running(pod)]
    newest = kube.newest_revision(kube.site.seeds) if failed else None
    if newest is None:
        return
    known, claims = noted(kube.read_secret(kube.site.discovery)), kube.volumes(kube.site.seeds)
    kept = [p for p in failed if known & (disk(p, claims) - {str(p.metadata.uid)})]
    recreate(kube, kept, newest, None, progress)


def _release(kube: Kube, progress: Progress, held: list[Any]) -> list[str]:
    known = noted(kube.read_secret(kube.site.discovery))
    back = _returning(held, kube.volumes(kube.site.seeds), known)
    kube.release(back)
    for pod in back:
        say = f"seed {pod.metadata.name} is back on its data: its scheduling gate is removed"
        progress.say(say, about=str(pod.metadata.uid))
    why = "its disk is new" if known else "nothing says whose its disk is"
    return [
        f"{pod.metadata.name}: scheduling gate kept, since {why}" for pod in held if pod not in back
    ]
