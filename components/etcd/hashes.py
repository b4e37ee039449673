"""The members' hashes, which show that all hold one and the same content.

While etcd hashes, it holds a lock that each write of that member waits for, and each read behind
such a write (`hashByRev` in server/storage/mvcc/kvstore.go, `batchTxBuffered.Unlock` in
server/storage/backend/batch_tx.go): its clients wait, whether it leads or not, and those of the
others do not. A hash goes on also when nobody waits for it any more (`HashKV` in
server/etcdserver/api/v3rpc/maintenance.go).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from components.etcd.cluster import Cluster, Hash
from components.kube.errors import ExecError
from containers.etcd.supervisor.membership import Member, View

MEGABYTE = 1_000_000

LARGEST_BYTES = 250 * MEGABYTE
"""Nobody is hashed where more is in use: clients would wait for longer than half a second.

By etcd's own figure, 100 MB in 100 ms (`hashRevSec` in server/storage/mvcc/metrics.go), and half of
that speed, since it goes by the number of keys, too. What was measured: docs/architecture.md, "The
receipt".
"""
LEAST_SECONDS = 3
SLOWEST = 10 * MEGABYTE
"""Bytes per second of a disk that is slow, when nothing of the database is in memory."""


def limit_seconds(in_use_bytes: int) -> int:
    """How long a member may take to hash a database. Pure."""
    return LEAST_SECONDS + in_use_bytes // SLOWEST


@dataclass(frozen=True)
class Compared:
    """What the members have answered at one revision."""

    revision: int = 0
    hashes: Mapping[str, Hash] = field(default_factory=dict[str, Hash])
    """By pod."""
    missing: tuple[str, ...] = ()
    """Of each member that has given no hash: who, and why."""
    left_out: tuple[str, ...] = ()
    """Why nobody was asked."""

    @property
    def value(self) -> int | None:
        """The one hash of all that have answered; None if there is no such."""
        values = {found.value for found in self.hashes.values()}
        return values.pop() if len(values) == 1 else None

    @property
    def differences(self) -> list[str]:
        """That members differ: who has which hash.

        What is compacted counts in a hash, and each member compacts at its own moment: etcd itself
        compares none of different compaction (server/etcdserver/corrupt.go).
        """
        pods: dict[int, list[str]] = {}
        values: dict[int, set[int]] = {}
        for pod, found in sorted(self.hashes.items()):
            pods.setdefault(found.value, []).append(pod)
            values.setdefault(found.compacted, set()).add(found.value)
        if len(pods) < 2:
            return []
        if all(len(alike) == 1 for alike in values.values()):
            told = ", ".join(f"{pod} {self.hashes[pod].compacted}" for pod in sorted(self.hashes))
            return [f"hashes cannot be compared before all have compacted up to the same: {told}"]
        groups = sorted(pods.items(), key=lambda group: -len(group[1]))
        told = ", but ".join(f"{value} on {', '.join(who)}" for value, who in groups)
        return [f"hashes differ at revision {self.revision}: {told}"]


class Hashing:
    """Asks for hashes, as often as one proof needs, without hurting the members.

    Followers side by side, then the leader: at every moment somebody is free to serve.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rests_until = 0.0
        self.late: set[str] = set()
        """Pods of the members that did not answer in time when last asked: they may be hashing
        still, and then they may answer nothing else either."""

    @property
    def resting(self) -> bool:
        """Whether it is too early to ask again: members are left alone for as long as the last
        question took, so that no hash is asked for while the one before may be at work."""
        return time.monotonic() < self._rests_until

    def compare(self, view: View, revision: int) -> Compared:
        """The hash of every member's content up to `revision`. All members have a status."""
        largest = max(s.in_use_bytes for s in view.statuses.values())
        if largest > LARGEST_BYTES:
            text = (
                f"hashes were not compared: {largest // MEGABYTE} MB are in use, and above "
                f"{LARGEST_BYTES // MEGABYTE} MB clients would wait too long for it"
            )
            return Compared(revision, left_out=(text,))
        began = time.monotonic()

        def ask(member: Member) -> Hash | str:
            return self._ask(member, revision, limit_seconds(largest))

        leading = [m for m in view.members if m == view.leader]
        following = [m for m in view.members if m not in leading]
        with ThreadPoolExecutor(max_workers=max(1, len(following))) as side_by_side:
            answers = dict(zip(following, side_by_side.map(ask, following), strict=True))
        answers |= {member: ask(member) for member in leading}
        ended = time.monotonic()
        self._rests_until = ended + (ended - began)
        return Compared(
            revision,
            hashes={m.pod: found for m, found in answers.items() if isinstance(found, Hash)},
            missing=tuple(found for found in answers.values() if isinstance(found, str)),
        )

    def _ask(self, member: Member, revision: int, seconds: int) -> Hash | str:
        """One member's hash, or why it is missing."""
        self.late.discard(member.pod)
        began = time.monotonic()
        try:
            return self._cluster.hash(member, revision, seconds)
        except (ExecError, ValueError) as error:
            if time.monotonic() - began < seconds:
                return f"no hash from {member.pod}: {error}"
        self.late.add(member.pod)
        return f"no hash from {member.pod} within {seconds} s"
