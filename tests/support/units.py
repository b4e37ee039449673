"""Three units and their pods, for the tables of the rules about restarts."""

from __future__ import annotations

from components.change import restarts
from components.change.plan import Goal
from containers.etcd.supervisor.membership import History
from tests.support.views import healthy_since, member

GOAL = Goal(seeds="etcd-seed", units="etcd", count=3)
UNITS = [member(10 + i, f"etcd-{i}") for i in range(3)]
SETTLED = healthy_since([m.id for m in UNITS], 0.0)
NOW = 100.0


def pods(*current: int, away: int | None = None) -> list[restarts.Pod]:
    """All are ready but the one that is away."""
    return [restarts.Pod(f"etcd-{i}", i in current, i != away) for i in range(3)]


def known(*silent: int, young: int | None = None, count: int = 3) -> History:
    """Everybody is settled but those that are silent, and one that is not healthy for long."""
    since = {10 + i: 0.0 for i in range(count) if 10 + i not in silent}
    return History(
        healthy_since={i: NOW - 1 if i == young else at for i, at in since.items()},
        sick_since=dict.fromkeys(silent, 0.0),
        leader_index=100,
    )
