"""Changes of the pods' template, which restart every unit."""

from __future__ import annotations

import re

from tests.faults.cluster import UNITS, Cluster, is_ready
from tests.faults.looking import looking
from tests.faults.run import Run
from tests.faults.scenario import Scenario

_GAP_SECONDS = 0.5
"""As for a pod that is deleted: leadership is moved before. The list allows 1.5 s, which is as much
as an election takes."""
_RETRY_SECONDS = 1.0
"""A write that runs into its time-out of 0.2 s, and the client's next one, which must succeed, take
0.5 s; 0.7 s were seen when the machine was slow for all clients. Who is left with a member that has
gone needs more than 1 s to notice."""


class _UnreadyUnits:
    """Which units were not ready at once, when those were most."""

    def __init__(self, cluster: Cluster) -> None:
        self.most: set[str] = set()
        self._cluster = cluster

    def look(self) -> None:
        pods = self._cluster.pods()
        found = {unit for unit in UNITS if unit not in pods or not is_ready(pods[unit])}
        if len(found) > len(self.most):
            self.most = found


def rolled(run: Run) -> None:
    """A restart of all units, several times in a row, then a change of what they may use."""
    for number in range(run.rounds):
        run.stack.set(etcd={"extraEnv": [{"name": "ROUND", "value": str(number)}]})
        _roll(run, "rolling restart")
    run.stack.set(units={"memory": "272Mi"})
    _roll(run, "change of the units' memory")


def _roll(run: Run, what: str) -> None:
    """One pod at a time, the leader last and moved first, and the same members as before."""
    cluster = run.cluster
    ids, leader = cluster.ids(), cluster.leader()
    units = _UnreadyUnits(cluster)
    with looking(units.look), run.fault(what, gap=_GAP_SECONDS, client=_RETRY_SECONDS):
        output = run.stack.up().output
    assert len(units.most) <= 1, f"{', '.join(sorted(units.most))} were away at once"
    restarts = re.findall(r"unit (\S+) restarts: ", output)[: len(UNITS)]
    assert sorted(restarts) == sorted(UNITS), f"restarted were {restarts}:\n{output}"
    moved, restarted = f"leader moved from {leader} ", f"unit {leader} restarts"
    assert moved in output, f"leadership was not moved:\n{output}"
    assert output.index(moved) < output.index(restarted), f"moved too late:\n{output}"
    assert cluster.ids() == ids, f"other members than before: {ids}, {cluster.ids()}"


SCENARIOS = (Scenario("12", "rolling restart and rolling change", rolled, rounds=5),)
