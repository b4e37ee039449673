"""The split-brain lock: which cluster this is, recorded at its birth, compared ever after.

Recorded twice: in Pulumi's state (outputs of the discovery and of every sequence) and on the
units' volumes, where the data is. Equal IDs prove nothing, since wiped seeds that used one token
twice have the same ID: the birth mark is written once, and the revision only grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from components.kube.claims import claim_name
from components.kube.client import Kube
from components.kube.pods import ending
from components.names import CLUSTER_ANNOTATION
from components.progress import SequenceError
from components.site import Site
from containers.etcd.supervisor.membership import View

BIRTH_ANNOTATION = "etcd.pulumi.com/birth"
REVISION_ANNOTATION = "etcd.pulumi.com/revision"
PEER_ANNOTATION = "etcd.pulumi.com/peer"
"""Host and port at which the others find the member of this volume."""


class AnotherClusterError(SequenceError):
    """It is not the recorded cluster that answers."""


@dataclass(frozen=True)
class Lock:
    """What is known of the one cluster that may answer here."""

    cluster_id: str
    """Hexadecimal, as etcdctl prints it."""
    birth: str
    """The birth mark as it stands in the cluster; empty when it is not recorded."""
    revision: int
    """The cluster has been there: it never goes back behind it. 0 when it is not recorded."""


def holding(claims: Iterable[Any]) -> list[Any]:
    """Those of the units' volumes that hold a cluster. Pure.

    By the note, whatever else may be on them. One that is being deleted holds none.
    """
    return [
        claim
        for claim in claims
        if CLUSTER_ANNOTATION in (claim.metadata.annotations or {}) and not ending(claim)
    ]


def on_volumes(kube: Kube) -> Lock | None:
    """The lock of the cluster that lives on the units' volumes, if they hold one.

    Raises SequenceError if they hold more than one cluster.
    """
    found = holding(kube.volumes(kube.site.units))
    noted: dict[str, Any] = {c.metadata.name: c.metadata.annotations for c in found}
    ids = {name: annotations[CLUSTER_ANNOTATION] for name, annotations in noted.items()}
    if len(set(ids.values())) > 1:
        raise SequenceError(
            f"the volumes belong to different clusters: {ids}",
            f"{kube.site.kubectl('delete', 'pvc', 'NAME')}, for each that is not wanted",
        )
    if not noted:
        return None
    births = {a[BIRTH_ANNOTATION] for a in noted.values() if a.get(BIRTH_ANNOTATION)}
    return Lock(
        cluster_id=next(iter(ids.values())),
        birth=births.pop() if len(births) == 1 else "",
        revision=max(int(a.get(REVISION_ANNOTATION) or 0) for a in noted.values()),
    )


def floor(noted: Lock | None, props: Mapping[str, Any]) -> int:
    """The highest revision that anybody has recorded; 0 where nobody has. Pure.

    On the volumes (`noted`), in the proofs of other sequences (`floor` of the inputs, not known in
    every preview) and in that of this one's last run (`proof`), unless that was another cluster's.
    What the state has outlives the claims, so that disks brought back from an old copy are found
    out.
    """
    proof: Any = props.get("proof") or {}
    own = proof.get("receipt", {}).get("clusterId") == props.get("cluster_id")
    told = props.get("floor"), proof.get("revision") if own else None
    known = [int(revision) for revision in told if isinstance(revision, int | float)]
    return max([noted.revision if noted else 0, *known])


def note(kube: Kube, lock: Lock, view: View) -> None:
    """Write the lock on the volume of every unit that is a member, and off all other units'."""
    members = {claim_name(m.pod): m.peer_url.partition("//")[2] for m in view.members}
    for claim in kube.volumes(kube.site.units):
        name, there = claim.metadata.name, claim.metadata.annotations or {}
        wanted = notes(lock, members.get(name))
        if any(there.get(key) != value for key, value in wanted.items()):
            kube.annotate_volume(name, wanted)


def notes(lock: Lock, peer: str | None) -> dict[str, str | None]:
    """Annotations of a volume; none of them where it is no member's. Pure.

    `peer`: host and port of its member. Data of a unit that has left is no cluster.
    """
    if peer is None:
        keys = (CLUSTER_ANNOTATION, BIRTH_ANNOTATION, REVISION_ANNOTATION, PEER_ANNOTATION)
        return dict.fromkeys(keys)
    return {
        CLUSTER_ANNOTATION: lock.cluster_id,
        BIRTH_ANNOTATION: lock.birth,
        REVISION_ANNOTATION: str(lock.revision),
        PEER_ANNOTATION: peer,
    }


def compare(lock: Lock, view: View, birth: str | None = None, units: str = "") -> str | None:
    """Why the cluster of `view` is not the one of `lock`, or None. Pure.

    `birth`: its birth mark; None when it was not asked for. `units`: their StatefulSet. The mark is
    a key that clients can delete. Where a unit is a member it was there: units find a cluster by
    the Service, which leads to none without it.
    """
    found = f"{view.cluster_id:x}"
    if found != lock.cluster_id:
        return f"cluster {found} answers, but cluster {lock.cluster_id} was born here"
    deleted = birth == "" and any(m.ordinal_in(units) is not None for m in view.members)
    if birth is not None and lock.birth and birth != lock.birth and not deleted:
        return (
            f"cluster {found} answers with birth mark {birth or 'none'}, "
            f"but {lock.birth} was recorded: it was formed a second time"
        )
    if view.leader is not None:
        revision = view.statuses[view.leader.id].revision
        if revision < lock.revision:
            return (
                f"cluster {found} is at revision {revision}, "
                f"but revision {lock.revision} was reached already: data was lost"
            )
    return None


def require(lock: Lock, view: View, site: Site, birth: str | None = None) -> None:
    """Raise AnotherClusterError if it is another cluster."""
    problem = compare(lock, view, birth, site.units)
    if problem:
        raise AnotherClusterError(
            problem,
            f"stop the clients, then {site.kubectl('get', 'pods,pvc')}, to find out who formed it "
            "(docs/runbook.md: another cluster answers)",
        )
