"""Sees whether a pod is ended while it is a member of a cluster that was given to clients."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from tests.faults.cluster import MEMBERS, Cluster
from tests.faults.etcd_api import NoAnswerError, listed, value
from tests.faults.looking import looking


@contextmanager
def none_ends_early(cluster: Cluster, leaving: Collection[str]) -> Generator[None]:
    """Raise AssertionError at the end of the with statement where one of `leaving` was. Not for
    those that stay: a pod that is restarted ends as a member."""
    ends = _EarlyEnds(cluster, leaving)
    with looking(ends.look):
        yield
    assert not ends.seen, f"ended while they were members: {', '.join(sorted(ends.seen))}"


class _EarlyEnds:
    """A pod stops only after its member's removal is committed. Before the birth mark there is no
    such promise: an attempt is thrown away with its seeds, and the next one forms another cluster.
    """

    def __init__(self, cluster: Cluster, leaving: Collection[str]) -> None:
        self.seen: set[str] = set()
        self._cluster = cluster
        self._leaving = leaving

    def look(self) -> None:
        told = told_to_end(self._cluster.pods(), self._leaving)
        if not told:
            return
        # After the pods, and as a quorum has it: a removal from before the end is in this list.
        # Where there is none nobody can say; but then the next `up` cannot end well, which is seen.
        for endpoint in self._cluster.endpoints(MEMBERS):
            try:
                members = {m.pod for m in listed(endpoint, linearizable=True)}
                born = bool(value(endpoint, BIRTH_KEY))
            except NoAnswerError:
                continue
            self.seen |= ended_early(told, members, born=born)
            return


def told_to_end(pods: Mapping[str, Any], names: Collection[str]) -> set[str]:
    """Which of these pods are ending. Pure."""
    return {n for n in names if n in pods and pods[n]["metadata"].get("deletionTimestamp")}


def ended_early(told: Collection[str], members: Collection[str], *, born: bool) -> set[str]:
    """Which of those that were told to end are members still, of a cluster with its mark. Pure."""
    return {pod for pod in told if pod in members} if born else set()
