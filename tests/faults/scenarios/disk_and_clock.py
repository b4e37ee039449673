"""The machine under a member: a slow disk, a wrong clock."""

from __future__ import annotations

import http.client
import math
import time
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from tests.faults.injection.clock import off_by
from tests.faults.injection.slow_disk import slow_disk
from tests.faults.run import Run
from tests.faults.scenario import Scenario, SuiteError

_SLOW_SECONDS = 20
_WRONG_SECONDS = 15
_HOUR = 3600
_METRICS_PORT = 2381
_SLOW_SYNC_SECONDS = 0.25
"""A sync of the log is a write at least, of which there are two a second. Else it takes some ms."""
_SYNCS = "etcd_disk_wal_fsync_duration_seconds"


def slow(run: Run) -> None:
    """Every write to disk of the leader takes longer than an election; another one may lead."""
    cluster = run.cluster
    ids, leader = cluster.ids(), cluster.leader()
    address = cluster.pod(leader)["status"]["podIP"]
    container = cluster.container(leader)
    etcd = container.etcd()
    slowed = slow_disk(container, run.lab.volumes, writes_per_second=2)
    with run.fault(f"two writes to disk a second, leader, {_SLOW_SECONDS} s", heal=15), slowed:
        before = syncs(_asked(address, "/metrics").text)
        run.last(_SLOW_SECONDS)
        after = syncs(_asked(address, "/metrics").text)
        run.notes.append(f"{leader} led before, {cluster.leader()} at the end")
    took = seconds_each(before, after)
    run.notes.append(f"a sync of its log took {took:.2f} s")
    if took < _SLOW_SYNC_SECONDS:
        raise SuiteError(f"the disk was not slow: a sync of the log took {took:.3f} s")
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
    off = parsedate_to_datetime(_asked(address, "/health").date).timestamp() - time.time()
    if abs(off - offset) > 5:
        raise SuiteError(f"the clock is off by {off:.0f} s, not by {offset} s")


class _Answer(NamedTuple):
    text: str
    date: str


def _asked(address: str, path: str) -> _Answer:
    """What etcd says at its metrics port."""
    line = http.client.HTTPConnection(address, _METRICS_PORT, timeout=5)
    with closing(line):
        line.request("GET", path)
        answer = line.getresponse()
        return _Answer(answer.read().decode(), answer.headers["Date"])


@dataclass(frozen=True)
class Syncs:
    """How often a member has brought its log to disk since it began."""

    seconds: float
    """All of them together."""
    count: float


def syncs(metrics: str) -> Syncs:
    """Read them in what `/metrics` says."""
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith(_SYNCS))
    return Syncs(seconds=float(values[f"{_SYNCS}_sum"]), count=float(values[f"{_SYNCS}_count"]))


def seconds_each(before: Syncs, after: Syncs) -> float:
    """How long one took in between; endless if none came to its end."""
    count = after.count - before.count
    return (after.seconds - before.seconds) / count if count else math.inf


SCENARIOS = (
    Scenario("8", "slow disk under the leader", slow),
    Scenario("11", "clock of one pod off by an hour", wrong_clock),
)
