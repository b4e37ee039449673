"""The machine under a member: a slow disk, a wrong clock."""

from __future__ import annotations

import http.client
import time
from contextlib import closing
from email.utils import parsedate_to_datetime

from tests.faults.injection.clock import off_by
from tests.faults.injection.slow_disk import slow_disk
from tests.faults.run import Run, SuiteError
from tests.faults.scenario import Scenario

_SLOW_SECONDS = 20
_WRONG_SECONDS = 15
_HOUR = 3600
_METRICS_PORT = 2381


def slow(run: Run) -> None:
    """Every write to disk of the leader takes longer than an election; another one may lead."""
    cluster = run.cluster
    ids, leader = cluster.ids(), cluster.leader()
    container = cluster.container(leader)
    etcd = container.etcd()
    slowed = slow_disk(container, run.lab.volumes, writes_per_second=2)
    with run.fault(f"two writes to disk a second, leader, {_SLOW_SECONDS} s", heal=15), slowed:
        run.last(_SLOW_SECONDS)
        run.notes.append(f"{leader} led before, {cluster.leader()} at the end")
    assert cluster.container(leader).etcd() == etcd, "etcd was restarted"
    assert cluster.ids() == ids, f"other members than before: {ids}, {cluster.ids()}"


def wrong_clock(run: Run) -> None:
    """The leader's clock, and its supervisor's, jump an hour ahead and back, then the other way."""
    cluster = run.cluster
    ids, leader = cluster.ids(), cluster.leader()
    address = cluster.pod(leader)["status"]["podIP"]
    container = cluster.container(leader)
    pids = [container.etcd(), container.supervisor()]
    for offset, way in ((_HOUR, "ahead"), (-_HOUR, "behind")):
        with run.fault(f"the leader's clock is an hour {way}", gap=0.2, heal=5):
            with off_by(offset, pids):
                _require_clock(address, offset)
                run.last(_WRONG_SECONDS)
            assert [container.etcd(), container.supervisor()] == pids, "a process was restarted"
            _require_clock(address, 0)
    assert cluster.leader() == leader, "another one leads"
    assert cluster.ids() == ids, f"other members than before: {ids}, {cluster.ids()}"


def _require_clock(address: str, offset: int) -> None:
    """Raise SuiteError unless etcd's own clock, as it stands in its answers, is off by that."""
    line = http.client.HTTPConnection(address, _METRICS_PORT, timeout=5)
    with closing(line):
        line.request("GET", "/health")
        date = line.getresponse().headers["Date"]
    off = parsedate_to_datetime(date).timestamp() - time.time()
    if abs(off - offset) > 5:
        raise SuiteError(f"the clock is off by {off:.0f} s, not by {offset} s")


SCENARIOS = (
    Scenario("8", "slow disk under the leader", slow),
    Scenario("11", "clock of one pod off by an hour", wrong_clock),
)
