"""etcd's own process: killed, and standing still."""

from __future__ import annotations

from tests.faults.injection.pod_processes import kill, stopped
from tests.faults.run import Run
from tests.faults.scenario import Scenario

_GAPS = {"follower": 0.2, "leader": 3.0}
"""A follower is missed by nobody; a leader's followers wait 1 to 2 s before they elect."""


def killed(run: Run) -> None:
    """It comes back as the same member, on its data."""
    cluster = run.cluster
    ids = cluster.ids()
    for _ in range(run.rounds):
        for role, gap in _GAPS.items():
            etcd = cluster.container(cluster.with_role(role)).etcd()
            with run.fault(f"kill -9 of the {role}'s etcd", gap=gap, heal=15):
                kill(etcd)
            assert cluster.ids() == ids, f"other members than before: {ids}, {cluster.ids()}"


def standing_still(run: Run) -> None:
    """The others elect another leader; the old one finds out when it goes on, and answers no
    linearizable read from what it knew (the reader beside the writer sees to that)."""
    cluster = run.cluster
    ids, leader = cluster.ids(), cluster.leader()
    etcd = cluster.container(leader).etcd()
    with run.fault("SIGSTOP of the leader's etcd for 10 s", gap=3, heal=10), stopped(etcd):
        run.last(10)
    assert cluster.container(leader).etcd() == etcd, "the process was ended"
    assert cluster.leader() != leader, "nobody else was elected"
    assert cluster.ids() == ids, f"other members than before: {ids}, {cluster.ids()}"


SCENARIOS = (
    Scenario("1", "etcd killed, a follower's, then the leader's", killed, rounds=20),
    Scenario("2", "the leader stands still", standing_still),
)
