"""More and fewer units: by `pulumi up`, and by somebody's hand."""

from __future__ import annotations

import time
from itertools import pairwise

from tests.faults import judgement
from tests.faults.cluster import UNITS, unit_names
from tests.faults.run import Run
from tests.faults.scenario import Scenario

_ALL_SECONDS = 120.0


def up_and_down(run: Run) -> None:
    """3 -> 5 -> 3 -> 1 -> 3 by `pulumi up`; those that go, go by their ordinals."""
    began = time.monotonic()
    for before, after in pairwise((3, 5, 3, 1, 3)):
        run.cluster.want(after)
        with run.fault(f"{before} -> {after} units by `up`", gap=0.5):
            run.stack.up()
    seconds = time.monotonic() - began
    assert seconds <= _ALL_SECONDS, f"all of it took {seconds:.0f} s, not {_ALL_SECONDS:.0f}"
    gone = [pod for pair in pairwise(run.sights) for pod in judgement.removed(*pair)]
    assert gone == ["etcd-4", "etcd-3", "etcd-2", "etcd-1"], f"left the list, in this order: {gone}"


def by_hand(run: Run) -> None:
    """The same by `kubectl scale`: no member stays in the list without its pod, and the next `up`
    restores the configured count."""
    cluster = run.cluster
    for before, after in pairwise((3, 5, 3, 1)):
        cluster.units = unit_names(after)
        with run.fault(f"{before} -> {after} units by hand", heal=60):
            run.stack.kubectl("scale", "statefulset", "etcd", f"--replicas={after}")
    cluster.units = UNITS
    with run.fault("`up` after that", gap=0.5):
        run.stack.up()


SCENARIOS = (
    Scenario("13", "3 -> 5 -> 3 -> 1 -> 3 by `up`", up_and_down),
    Scenario("13b", "the same by hand, then `up`", by_hand),
)
