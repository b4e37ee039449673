"""Sees whether a seed is ended while it is a member of a cluster that was given to clients."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from containers.etcd.supervisor.birth import BIRTH_KEY
from tests.faults.cluster import MEMBERS, SEEDS, Cluster
from tests.faults.etcd_api import NoAnswerError, listed, value
from tests.faults.looking import looking


@contextmanager
def no_seed_ends_early(cluster: Cluster) -> Generator[None]:
    """Raise AssertionError at the end of the with statement where one was."""
    ends = _EarlyEnds(cluster)
    with looking(ends.look):
        yield
    assert not ends.seen, f"ended while they were members: {', '.join(sorted(ends.seen))}"


class _EarlyEnds:
    """A pod stops only after its member's removal is committed. Before the birth mark there is no
    such promise: an attempt is thrown away with its seeds, and the next one forms another cluster.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.seen: set[str] = set()
        self._cluster = cluster

    def look(self) -> None:
        told = told_to_end(self._cluster.pods())
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


def told_to_end(pods: Mapping[str, Any]) -> set[str]:
    """The seeds whose pods are ending. Pure."""
    return {s for s in SEEDS if s in pods and pods[s]["metadata"].get("deletionTimestamp")}


def ended_early(told: Collection[str], members: Collection[str], *, born: bool) -> set[str]:
    """Which of those that were told to end are members still, of a cluster with its mark. Pure."""
    return {seed for seed in told if seed in members} if born else set()
