"""Pods: deleted, and deleted with their disk."""

from __future__ import annotations

from tests.faults.cluster import restarts
from tests.faults.run import Run
from tests.faults.scenario import Scenario

_GAPS = {"follower": 0.5, "leader": 0.5}
"""A leader that is told to stop hands over first. The list allows 1.5 s for it, which an election
(1 to 2 s) keeps at times: a build that never moves the leader was green with that."""


def deleted(run: Run) -> None:
    """It comes back as the same member, at another address."""
    cluster = run.cluster
    ids = cluster.ids()
    for role, gap in _GAPS.items():
        pod = cluster.with_role(role)
        with run.fault(f"pod of the {role} deleted", gap=gap, heal=30):
            run.stack.kubectl("delete", "pod", pod, "--wait=false")
        assert cluster.ids() == ids, f"other members than before: {ids}, {cluster.ids()}"


def disk_lost(run: Run) -> None:
    """Its old ID goes, and it joins as a learner with a new one: an old ID on an empty disk could
    vote twice. Nothing else of the list changes, and no container is started again and again."""
    cluster = run.cluster
    for role in _GAPS:
        ids, pod = cluster.ids(), cluster.with_role(role)
        with run.fault(f"pod and volume of the {role} deleted", heal=60):
            cluster.lose_disk(pod)
        now = cluster.ids()
        assert now[pod] != ids[pod], f"{pod} came back as {ids[pod]} on an empty disk"
        others = {name: member for name, member in ids.items() if name != pod}
        assert now == {**others, pod: now[pod]}, f"other members than before: {ids}, {now}"
        count = restarts(cluster.pod(pod))
        assert count == 0, f"the container of {pod} was restarted {count} times"


SCENARIOS = (
    Scenario("3", "pod deleted", deleted),
    Scenario("4", "disk lost", disk_lost),
)
