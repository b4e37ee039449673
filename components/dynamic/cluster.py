"""The etcd cluster as the sequences see it: etcdctl over exec in a member's own pod."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from components.dynamic.kube import ExecError, Kube
from components.dynamic.progress import Unmet
from containers.etcd.supervisor.membership import (
    Member,
    View,
    parse_members,
    parse_statuses,
)

SPARE_SECONDS = 7
"""What a command in a pod may take beside etcd's answer."""


@dataclass(frozen=True)
class Hash:
    """Of one member's content up to some revision."""

    value: int
    compacted: int
    """The revision up to which the member has compacted its history."""


class Cluster:
    """Asks and changes one cluster, through whichever of its pods answers."""

    def __init__(self, kube: Kube, pods: Iterable[str], seconds: int = 3) -> None:
        """`pods`: where to ask first; after the first view, its healthy voters are asked.

        `seconds`: how long etcd may take to answer.
        """
        self._kube = kube
        self._seconds = seconds
        self._pods: tuple[str, ...] = tuple(pods)

    def etcdctl(
        self,
        *arguments: str,
        pod: str | None = None,
        endpoints: Sequence[str] = (),
        seconds: int | None = None,
    ) -> str:
        """Run etcdctl in `pod` (default: the first that is asked). Raises ExecError.

        `seconds`: how long etcd may take for this one; unset as for all.
        """
        urls = ",".join(endpoints) or self._kube.site.local_url
        limit = seconds or self._seconds
        limits = (f"--command-timeout={limit}s", f"--dial-timeout={self._seconds}s")
        command = ("etcdctl", f"--endpoints={urls}", *limits, *arguments)
        return self._kube.exec(pod or self._pods[0], *command, seconds=limit + SPARE_SECONDS)

    def view(self) -> View | Unmet:
        """The membership and every member's status, in one round; Unmet if nobody answers."""
        reason = "no pod to ask"
        for pod in self._pods:
            try:
                listed, answered = self._list_and_statuses(pod)
                view = View(*parse_members(listed), parse_statuses(answered))
            except (ExecError, ValueError) as error:
                reason = str(error)
                continue
            self._pods = self._speakers(view, pod)
            return view
        return Unmet(f"the cluster does not answer: {reason}")

    def _list_and_statuses(self, pod: str) -> tuple[str, str]:
        """Asked at the same time: a command in a pod costs more than what it asks etcd."""
        with ThreadPoolExecutor(max_workers=1) as meanwhile:
            answered = meanwhile.submit(
                self.etcdctl, "endpoint", "status", "--cluster", "-w", "json", pod=pod
            )
            listed = self.etcdctl("member", "list", "-w", "json", pod=pod)
            return listed, answered.result()

    def _speakers(self, view: View, answered: str) -> tuple[str, ...]:
        """Units before seeds, since seeds go; then the pod that has just answered."""
        voters = [m.pod for m in view.voters if m.id in view.statuses]
        units = sorted(p for p in voters if not p.startswith(f"{self._kube.site.seeds}-"))
        others = sorted(p for p in voters if p not in units and p != answered)
        return tuple(dict.fromkeys([*units, answered, *others]))

    def remove(self, member: Member) -> None:
        """Remove a member through another one. Raises ExecError; gone already is no error."""
        via = next((pod for pod in self._pods if pod != member.pod), None)
        try:
            self.etcdctl("member", "remove", member.hex_id, pod=via)
        except ExecError as error:
            if "not found" not in str(error):
                raise

    def move_leader(self, leader: Member, target: Member) -> None:
        """Hand leadership over; etcd wants this asked of the leader. Raises ExecError."""
        assert leader.client_url is not None, "a leader has started"
        self.etcdctl("move-leader", target.hex_id, endpoints=[leader.client_url])

    def get(self, key: str) -> str:
        """A key's value by a linearizable read, empty if there is none. Raises ExecError."""
        return self.etcdctl("get", "--print-value-only", key).strip()

    def put(self, key: str, value: str) -> None:
        self.etcdctl("put", key, value)

    def hash(self, member: Member, revision: int, seconds: int) -> Hash:
        """The hash of a member's content up to `revision`. It may take `seconds`.

        Raises ExecError, ValueError for an answer without it.
        """
        assert member.client_url is not None, "it has a status"
        question = ("endpoint", "hashkv", f"--rev={revision}", "-w", "json")
        return parse_hash(self.etcdctl(*question, endpoints=[member.client_url], seconds=seconds))


def parse_hash(text: str) -> Hash:
    """Parse `etcdctl endpoint hashkv -w json` of one endpoint. Pure.

    Raises ValueError if there is no hash in it: where nobody has answered etcdctl prints `null`,
    its empty list.
    """
    entries: list[Any] = json.loads(text) or []
    if not entries:
        raise ValueError("etcdctl has printed none")
    try:
        found = entries[0]["HashKV"]
        # Left out where it is 0.
        return Hash(int(found["hash"]), int(found.get("compact_revision", 0)))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an endpoint's hash: {text[:200]!r}") from error
