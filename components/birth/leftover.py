"""Volumes with the units' names that were there before the units, and carry no note of a cluster.

Left by something else, or made of a snapshot by hand. Where they hold etcd's data, the units start
on it, and a cluster that was born now would be a second one behind the same Service.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from components.birth.volatile import POLL_SECONDS, holds_data
from components.kube.claims import claim_name
from components.kube.client import Kube
from components.kube.pods import by_ordinal, ending, of_stateful_set
from components.kube.recreate import pull_again, recreate
from components.names import CLUSTER_ANNOTATION
from components.progress import Progress, SequenceError, Unmet


def require_empty(kube: Kube, units: int, progress: Progress) -> None:
    """Return when none of the volumes that `units` units find holds data of etcd.

    Costs one question where there is no such volume. Raises SequenceError if one holds data, or at
    the deadline, since no word from a unit is no proof that there is nothing.
    """
    named = by_ordinal(kube.volumes(kube.site.units), claim_name(kube.site.units))
    claims = {ordinal: claim for ordinal, claim in named.items() if ordinal < units}
    if not claims:
        return
    since = kube.made_at(kube.site.units)
    left = {f"{kube.site.units}-{ordinal}" for ordinal in _left(claims, since)}
    if left:
        progress.wait(
            "the units on volumes that were there before to say what they hold",
            lambda: _empty(kube, left, progress),
            "bring these units up, then pulumi up (docs/runbook.md: volumes that nobody knows)",
            poll_seconds=POLL_SECONDS,
        )


def _left(claims: dict[int, Any], since: Any) -> Iterable[int]:
    """The ordinals of claims that are older than their workload; `since`: None if it is not there
    yet."""
    return [
        ordinal
        for ordinal, claim in claims.items()
        if CLUSTER_ANNOTATION not in (claim.metadata.annotations or {})
        and not ending(claim)
        and (since is None or claim.metadata.creation_timestamp < since)
    ]


def _empty(kube: Kube, left: set[str], progress: Progress) -> bool | Unmet:
    found, now = kube.pods_and_time()
    pods = [pod for pod in of_stateful_set(found, kube.site.units) if pod.metadata.name in left]
    told = {
        pod.metadata.name: holds_data(kube.supervisor_status(pod.metadata.name)) for pod in pods
    }
    holding = sorted(name for name, holds in told.items() if holds)
    if holding:
        raise SequenceError(
            f"{', '.join(f'volume {claim_name(name)}' for name in holding)} of namespace "
            f"{kube.site.namespace}: there before this stack, holds data of etcd, and nothing says "
            "of which cluster. A cluster that was born now would be a second one beside it",
            _remedy(kube, holding),
        )
    silent = sorted(name for name in left if told.get(name) is None)
    if not silent:
        return True
    # All else that recreates units comes after the birth, which waits for these.
    again = pull_again(kube, pods, now, progress)
    newest = kube.newest_revision(kube.site.units)
    if newest is not None:
        recreate(kube, [pod for pod in pods if pod not in again], newest, None, progress)
    known = kube.troubles(pods, still=progress.stands_still)
    return Unmet("; ".join([f"no word from {', '.join(silent)}", *known]))


def _remedy(kube: Kube, names: Iterable[str]) -> str:
    claims = [claim_name(name) for name in sorted(names)]
    return (
        "if what they hold is not wanted, "
        f"{kube.site.kubectl('delete', '--wait=false', 'pvc', *claims)}, and then their pods; if "
        "it is to be kept, docs/runbook.md: volumes that nobody knows; then pulumi up"
    )
