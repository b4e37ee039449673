"""The proof of how a sequence has left the cluster: members, revision, consistency receipt."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from components.change.loop import Loop
from components.etcd import lock
from components.etcd.hashes import Compared, Hashing
from components.etcd.lock import Lock
from components.progress import SequenceError, Unmet
from containers.etcd.supervisor.membership import View, describe

AGREE_SECONDS = 30.0
"""How long members may take to agree: one that answers late, or an election, passes by itself."""


def prove(loop: Loop) -> dict[str, Any]:
    """Note the lock on the volumes, and return the proof of what the sequence has left.

    Keys: members, revision, receipt, at (Unix seconds, by the clock of the API server: proofs are
    compared by it, and each may be of another machine). Raises SequenceError where the members do
    not come to agree. A missing hash fails nothing: the sequence has done its work, and the
    next one would fail in the same way.
    """
    attempts = _Attempts(loop)
    try:
        view, receipt = loop.progress.wait(
            "all members to agree",
            attempts.next,
            "make status, to see which member differs",
            limit_seconds=AGREE_SECONDS,
            least_seconds=AGREE_SECONDS,
        )
    except SequenceError:
        if attempts.incomplete is None:
            raise
        view, receipt = attempts.incomplete
    for text in [*receipt["missing"], *receipt["leftOut"]]:
        loop.progress.say(f"warning: {text}")
    known, revision = loop.lock, int(str(receipt["revision"]))
    lock.note(loop.kube, Lock(known.cluster_id, known.birth, revision), view)
    loop.progress.say(f"balanced: {len(view.voters)} units vote, {receipt['leader']} leads")
    _, now = loop.kube.pods_and_time()
    return {
        "members": table(view),
        "revision": revision,
        "receipt": receipt,
        "at": int(now.timestamp()),
    }


Receipt = dict[str, Any]


class _Attempts:
    """The attempts at one proof."""

    def __init__(self, loop: Loop) -> None:
        self._looks: Iterator[View | Unmet] = chain(
            # What the sequence has ended with.
            [loop.seen] if loop.seen else [],
            iter(loop.cluster.view, None),
        )
        self._hashing = Hashing(loop.cluster)
        self._last: tuple[View, Receipt] | Unmet = Unmet("")
        self.incomplete: tuple[View, Receipt] | None = None
        """The last one, if it lacks nothing but a hash."""
        self._differed: list[str] = []
        """How hashes have differed: from then on only agreement will do."""

    def next(self) -> tuple[View, Receipt] | Unmet:
        """One more, or the answer of the last where it is too early for that."""
        if not self._hashing.resting:
            self._last = self._look(next(self._looks))
        return self._last

    def _look(self, view: View | Unmet) -> tuple[View, Receipt] | Unmet:
        if isinstance(view, Unmet):
            self.incomplete = None
            return view
        receipt = receipt_of(self._hashing, view)
        differences, missing = receipt["differences"], receipt["missing"]
        if not differences and not missing:
            return view, receipt
        if differences and receipt["members"]:
            self._differed = differences
        if not differences and not self._differed:
            self.incomplete = view, receipt
        elif not self._silent_while_hashing(view, differences):
            self.incomplete = None
        return Unmet("; ".join(dict.fromkeys([*differences, *missing, *self._differed])))

    def _silent_while_hashing(self, view: View, differences: list[str]) -> bool:
        """Whether nothing is wrong but that members are silent which may be hashing still: that
        changes nothing of what was seen before."""
        silent = {m.pod for m in view.members if m.id not in view.statuses}
        return bool(silent) and silent <= self._hashing.late and len(differences) == 1


def receipt_of(hashing: Hashing, view: View) -> Receipt:
    """Proof that all members hold one and the same content.

    One cluster ID, one leader, one term, and the same hash at one revision of every member. Keys:
    clusterId, leader, term, revision; hash, and members, the pods whose hash was compared;
    differences, missing and leftOut, sentences on what differs, on whose hash did not come, and on
    why none was asked for; consistent, whether all of it was compared and is the same.
    """
    statuses = view.statuses
    revision = min((s.revision for s in statuses.values()), default=0)
    silent = [m for m in view.members if m.id not in statuses]
    checks = {
        f"no answer from {describe(silent)}": not silent,
        "more than one cluster ID": {s.cluster_id for s in statuses.values()} == {view.cluster_id},
        "no leader, or more than one": len({s.leader_id for s in statuses.values()}) == 1
        and view.leader is not None,
        "more than one term": len({s.raft_term for s in statuses.values()}) == 1,
    }
    differences = [what for what, holds in checks.items() if not holds]
    # Hashing costs the clients: not before all else is well.
    compared = Compared() if differences else hashing.compare(view, revision)
    differences += compared.differences
    return {
        "clusterId": f"{view.cluster_id:x}",
        "leader": view.leader.pod if view.leader else "",
        "term": max((s.raft_term for s in statuses.values()), default=0),
        "revision": revision,
        "hash": compared.value,
        "members": sorted(compared.hashes),
        "consistent": not (differences or compared.missing or compared.left_out),
        "differences": differences,
        "missing": list(compared.missing),
        "leftOut": list(compared.left_out),
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
