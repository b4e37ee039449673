"""Changes of the pods' template, which restart every unit."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from tests.faults.cluster import API_FAILURES, UNITS, is_ready
from tests.faults.run import Run
from tests.faults.scenario import Scenario

_GAP_SECONDS = 0.5
"""As for a pod that is deleted: leadership is moved before. The list allows 1.5 s, which is as much
as an election takes."""
_LOOK_SECONDS = 0.1


class UnreadyUnits(threading.Thread):
    """Looks all the time which units are not ready at once, until it is told to end."""

    def __init__(self, unready: Callable[[], set[str]]) -> None:
        super().__init__(name="unready units", daemon=True)
        self.over = threading.Event()
        self.most: set[str] = set()
        self._unready = unready

    def run(self) -> None:
        while not self.over.wait(_LOOK_SECONDS):
            try:
                found = self._unready()
            except API_FAILURES:
                continue
            if len(found) > len(self.most):
                self.most = found


def rolled(run: Run) -> None:
    """A restart of all units, several times in a row, then a change of what they may use."""
    for number in range(run.rounds):
        run.stack.set(etcd={"extraEnv": [{"name": "ROUND", "value": str(number)}]})
        _roll(run, "rolling restart")
    memory = run.stack.config["units"]["memory"]
    run.stack.set(units={"memory": "272Mi" if memory != "272Mi" else "256Mi"})
    _roll(run, "change of the units' memory")


def _roll(run: Run, what: str) -> None:
    """One pod at a time, the leader last and moved first, and the same members as before."""
    cluster = run.cluster
    ids, leader = cluster.ids(), cluster.leader()
    watch = UnreadyUnits(lambda: _unready(run))
    watch.start()
    try:
        with run.fault(what, gap=_GAP_SECONDS):
            output = run.stack.up().output
    finally:
        watch.over.set()
        watch.join()
    assert len(watch.most) <= 1, f"{', '.join(sorted(watch.most))} were away at once"
    restarts = re.findall(r"unit (\S+) restarts: ", output)[: len(UNITS)]
    assert sorted(restarts) == sorted(UNITS), f"restarted were {restarts}:\n{output}"
    moved, restarted = f"leader moved from {leader} ", f"unit {leader} restarts"
    assert moved in output, f"leadership was not moved:\n{output}"
    assert output.index(moved) < output.index(restarted), f"moved too late:\n{output}"
    assert cluster.ids() == ids, f"other members than before: {ids}, {cluster.ids()}"


def _unready(run: Run) -> set[str]:
    pods = run.cluster.pods()
    return {unit for unit in UNITS if unit not in pods or not is_ready(pods[unit])}


SCENARIOS = (Scenario("12", "rolling restart and rolling change", rolled, rounds=5),)
