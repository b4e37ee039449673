"""The volume claims of StatefulSets: their names, whose they are, and the disks below. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from components.kube.pods import ordinal_of
from components.names import CLUSTER_ANNOTATION
from components.site import Site


def claim_name(pod: str) -> str:
    """How Kubernetes names a pod's claim, by the claim template `data` and the pod's name.

    Of a workload's name: what stands before the ordinal in the names of its claims.
    """
    return f"data-{pod}"


def is_ours(site: Site, claim: Any) -> bool:
    """Whether a claim is this stack's, and may be deleted: its name alone says nothing.

    A StatefulSet labels what it makes as its selector says (kubernetes: stateful_set_utils.go,
    getPersistentVolumeClaims). What it has found carries the note, while it is a member's; so do
    those of other clusters.
    """
    named = any(ordinal_of(claim, claim_name(w)) is not None for w in site.workloads)
    noted = CLUSTER_ANNOTATION in (claim.metadata.annotations or {})
    return site.owns(claim) or (named and noted)


def going_disks(found: Iterable[Any], namespace: str, workloads: Iterable[str]) -> list[str]:
    """The names of those volumes of a namespace's workloads that go when their claims are gone."""
    stems = tuple(claim_name(workload) for workload in workloads)
    return [
        volume.metadata.name
        for volume in found
        if volume.spec.persistent_volume_reclaim_policy == "Delete"
        and volume.spec.claim_ref is not None
        and volume.spec.claim_ref.namespace == namespace
        and volume.spec.claim_ref.name.rpartition("-")[0] in stems
    ]
