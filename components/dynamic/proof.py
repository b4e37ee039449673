"""The proof of how a sequence has left the cluster: members, revision, consistency receipt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain
from typing import Any

from components.dynamic import lock
from components.dynamic.cluster import Cluster
from components.dynamic.kube import ExecError
from components.dynamic.lock import Lock
from components.dynamic.loop import Loop
from components.dynamic.progress import Unmet
from containers.etcd.supervisor.birth import BIRTH_KEY
from containers.etcd.supervisor.membership import View, describe

AGREE_SECONDS = 30.0
"""How long members may take to agree: one that answers late, or an election, passes by itself."""


def prove(loop: Loop) -> dict[str, Any]:
    """Note the lock on the volumes, and return the proof of what the sequence has left.

    Keys: members, revision, receipt, at (Unix seconds). Raises SequenceError where the members do
    not come to agree.
    """
    looks: Iterator[View | Unmet] = chain(
        # What the sequence has ended with.
        [loop.seen] if loop.seen else [],
        iter(loop.cluster.view, None),
    )
    view, proof = loop.progress.wait(
        "all members to agree",
        lambda: _agreed(loop.cluster, next(looks)),
        "make status, to see which member differs",
        limit_seconds=AGREE_SECONDS,
    )
    known, revision = loop.lock, int(str(proof["revision"]))
    if loop.unmarked and known.birth:
        loop.cluster.put(BIRTH_KEY, known.birth)
        loop.progress.say("the cluster's birth mark, which a client had deleted, is written again")
    lock.note(loop.kube, Lock(known.cluster_id, known.birth, revision), view)
    loop.progress.say(f"balanced: {len(view.voters)} units vote, {proof['leader']} leads")
    return {
        "members": table(view),
        "revision": revision,
        "receipt": proof,
        "at": round(time.time(), 3),
    }


def _agreed(cluster: Cluster, view: View | Unmet) -> tuple[View, dict[str, object]] | Unmet:
    if isinstance(view, Unmet):
        return view
    try:
        proof = receipt(cluster, view)
    except (ExecError, ValueError) as error:
        return Unmet(str(error))
    differences: Any = proof["differences"]
    return Unmet("; ".join(differences)) if differences else (view, proof)


def receipt(cluster: Cluster, view: View) -> dict[str, object]:
    """Proof that all members hold one and the same content.

    One cluster ID, one leader, one term, and the same hash at one revision of every member.
    Keys: clusterId, leader, term, revision, hash, members, consistent, differences.
    """
    statuses = view.statuses
    revision = min(s.revision for s in statuses.values())
    hashes = cluster.hashes(view, revision)
    silent = [m for m in view.members if m.id not in statuses]
    checks = {
        f"no answer from {describe(silent)}": not silent,
        "more than one cluster ID": {s.cluster_id for s in statuses.values()} == {view.cluster_id},
        "no leader, or more than one": len({s.leader_id for s in statuses.values()}) == 1
        and view.leader is not None,
        "more than one term": len({s.raft_term for s in statuses.values()}) == 1,
        f"hashes differ at revision {revision}": len(set(hashes.values())) == 1
        and len(hashes) == len(view.members),
    }
    differences = [what for what, holds in checks.items() if not holds]
    return {
        "clusterId": f"{view.cluster_id:x}",
        "leader": view.leader.pod if view.leader else "",
        "term": max(s.raft_term for s in statuses.values()),
        "revision": revision,
        "hash": next(iter(hashes.values())),
        "members": sorted(hashes),
        "consistent": not differences,
        "differences": differences,
    }


def table(view: View) -> list[dict[str, str]]:
    """The members for people and programs: pod, id, role, peer and client URL, version."""
    leader = view.leader
    return [
        {
            "name": m.pod,
            "id": m.hex_id,
            "role": "learner" if m.learner else "leader" if m == leader else "voter",
            "peerUrl": m.peer_url,
            "clientUrl": m.client_url or "",
            "version": view.statuses[m.id].version if m.id in view.statuses else "",
        }
        for m in view.members
    ]
