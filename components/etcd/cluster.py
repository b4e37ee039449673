"""The etcd cluster as the sequences see it: etcdctl over exec in a member's own pod."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from components.kube.client import Kube
from components.kube.errors import ExecError, NoExecError
from components.progress import SequenceError, Unmet
from components.site import Site
from containers.etcd.supervisor.birth_mark import transaction
from containers.etcd.supervisor.etcdctl import NO_USER
from containers.etcd.supervisor.membership import (
    Member,
    View,
    parse_members,
    parse_statuses,
)

SPARE_SECONDS = 7
"""What a command in a pod may take beside etcd's answer."""

STATUS_SECONDS = 2
"""For one member to tell its status. etcdctl asks one after the other: four that are silent, which
beside a quorum may be, fit into the time of one command."""


_WITH_STDIN = """\
import subprocess, sys
_, seconds, text, *command = sys.argv
try:
    sys.exit(subprocess.run(command, input=text, text=True, timeout=float(seconds)).returncode)
except subprocess.TimeoutExpired:
    sys.exit(f"no answer within {seconds} s")
"""
"""Runs a command on a text, in the pod: admission rules against people's shells deny commands with
an open input. It sets the limit as well: `etcdctl txn` has none (etcdctl: txn_command.go)."""


@dataclass(frozen=True)
class Hash:
    """Of one member's content up to some revision."""

    value: int
    compacted: int
    """The revision up to which the member has compacted its history."""


class NoUserError(SequenceError):
    """etcd's authentication is on: it tells nothing to those who do not name a user."""

    def __init__(self, site: Site) -> None:
        super().__init__(
            f"etcd refuses to answer ({NO_USER}): its authentication is on, and this program does "
            "not use it yet",
            f"{site.connect_and_type} --user root auth disable, then pulumi up, then enable it "
            "again (docs/runbook.md: authentication)",
        )


class Cluster:
    """Asks and changes one cluster, through whichever of its pods answers."""

    def __init__(self, kube: Kube, pods: Iterable[str], seconds: int = 3) -> None:
        """`pods`: where to ask first; after the first view, its healthy voters are asked before.

        `seconds`: how long etcd may take to answer.
        """
        self._kube = kube
        self._seconds = seconds
        self._pods: tuple[str, ...] = tuple(pods)
        self._given = self._pods
        self._mute: set[str] = set()
        """Pods in which nothing could be run: they are asked last."""

    def etcdctl(
        self,
        *arguments: str,
        pods: Iterable[str] | None = None,
        endpoints: Sequence[str] = (),
        seconds: int | None = None,
        stdin: str = "",
    ) -> str:
        """Run etcdctl in the first of `pods` in which anything can be run.

        None: those that are asked. `seconds`: how long etcd may take for this one; unset as
        for all. `stdin`: what it reads. Raises ExecError.
        """
        urls = ",".join(endpoints) or self._kube.site.local_url
        limit = seconds or self._seconds
        limits = (f"--command-timeout={limit}s", f"--dial-timeout={self._seconds}s")
        command = ("etcdctl", f"--endpoints={urls}", *limits, *arguments)
        if stdin:
            command = ("python3", "-c", _WITH_STDIN, str(limit), stdin, *command)
        failure = NoExecError("no pod to ask")
        for pod in self._pods if pods is None else tuple(pods):
            try:
                return self._kube.exec(pod, *command, seconds=limit + SPARE_SECONDS)
            except NoExecError as error:
                self._mute.add(pod)
                failure = error
        raise failure

    def view(self) -> View | Unmet:
        """The membership and every member's status, in one round; Unmet if nobody answers.

        Raises NoUserError where waiting for an answer would not help.
        """
        reason = "no pod to ask"
        for pod in self._pods:
            try:
                listed, answered = self._list_and_statuses(pod)
                view = View(*parse_members(listed), parse_statuses(answered))
            except (ExecError, ValueError) as error:
                self._require_no_authentication(error)
                reason = str(error)
                continue
            self._pods = self._speakers(view, pod)
            return view
        return Unmet(f"the cluster does not answer: {reason}")

    def _list_and_statuses(self, pod: str) -> tuple[str, str]:
        """Asked at the same time: a command in a pod costs more than what it asks etcd."""
        question = ("endpoint", "status", "--cluster", "-w", "json")
        limit = min(self._seconds, STATUS_SECONDS)
        with ThreadPoolExecutor(max_workers=1) as meanwhile:
            answered = meanwhile.submit(self.etcdctl, *question, pods=[pod], seconds=limit)
            listed = self.etcdctl("member", "list", "-w", "json", pods=[pod])
            return listed, answered.result()

    def _speakers(self, view: View, answered: str) -> tuple[str, ...]:
        """Units before seeds, since seeds go; then who has just answered. After them who was to be
        asked at first: all who speak now may be gone next time. The mute come last."""
        voters = [m.pod for m in view.voters if m.id in view.statuses]
        units = sorted(p for p in voters if not p.startswith(f"{self._kube.site.seeds}-"))
        others = sorted(p for p in voters if p not in units and p != answered)
        found = dict.fromkeys([*units, answered, *others, *self._given])
        return tuple(sorted(found, key=self._mute.__contains__))

    def remove(self, member: Member) -> None:
        """Remove a member through another one. Raises ExecError; gone already is no error."""
        others = [pod for pod in self._pods if pod != member.pod]
        try:
            self.etcdctl("member", "remove", member.hex_id, pods=others)
        except NoExecError:
            raise  # what Kubernetes does not find is a pod
        except ExecError as error:
            if "not found" not in str(error):
                raise

    def move_leader(self, leader: Member, target: Member) -> None:
        """Hand leadership over; etcd wants this asked of the leader. Raises ExecError."""
        assert leader.client_url is not None, "a leader has started"
        self.etcdctl("move-leader", target.hex_id, endpoints=[leader.client_url])

    def get(self, key: str) -> str:
        """A key's value by a linearizable read, empty if there is none.

        Raises ExecError, NoUserError.
        """
        try:
            return self.etcdctl("get", "--print-value-only", key).strip()
        except ExecError as error:
            self._require_no_authentication(error)
            raise

    def _require_no_authentication(self, error: Exception) -> None:
        if NO_USER in str(error):
            raise NoUserError(self._kube.site) from None

    def write_birth(self, mark: str) -> None:
        """Write the birth mark if there is none: whatever stands there stays. Raises ExecError."""
        self.etcdctl("txn", stdin=transaction(mark))

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
