"""What is said of members that are neither seeds nor units. Stands in for Kubernetes and etcd."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from components.change.loop import Loop
from components.change.plan import Done, Goal
from components.change.strangers import StrangerError, require_none
from components.etcd.lock import Lock
from components.progress import Progress
from components.site import Site
from containers.etcd.supervisor.membership import Member, View
from tests.support.dynamic import SITE
from tests.support.views import CLUSTER, member, url, view

GOAL = Goal("etcd-seed", "etcd", 3)
UNITS = [member(10 + i, f"etcd-{i}") for i in range(3)]
BY_HAND = member(0xF00D, "by-hand")
REMOVE = (
    "kubectl --context here -n etcd exec {pod} -- etcdctl --endpoints=http://127.0.0.1:2379 "
    "member remove f00d, if nobody needs it; then pulumi up"
)


@pytest.mark.parametrize(
    ("stranger", "told"),
    [
        pytest.param(BY_HAND, "by-hand (ID f00d, peer URL {url})", id="a voter"),
        pytest.param(
            replace(BY_HAND, learner=True),
            "by-hand (ID f00d, peer URL {url}, a learner)",
            id="a learner",
        ),
        pytest.param(
            member(0xF00D, "by-hand", started=False),
            "without a name (ID f00d, peer URL {url}, never started)",
            id="one that never started",
        ),
        pytest.param(
            member(0xF00D, "by-hand", learner=True, started=False),
            "without a name (ID f00d, peer URL {url}, a learner, never started)",
            id="a learner that never started",
        ),
    ],
)
def test_a_stranger_is_named_and_how_it_is_removed(stranger: Member, told: str) -> None:
    with pytest.raises(StrangerError) as failure:
        require_none(GOAL, view([*UNITS, stranger]), Site(**SITE))
    named = told.format(url=url("by-hand"))
    assert failure.value.problem.startswith(f"neither a seed nor a unit of this stack: {named}. ")
    assert failure.value.next_step == REMOVE.format(pod="etcd-0")


@pytest.mark.parametrize(
    ("seen", "pod"),
    [
        pytest.param(view([*UNITS, BY_HAND], silent=[10]), "etcd-1", id="a unit that answers"),
        pytest.param(
            view([member(1, "etcd-seed-0"), member(2, "etcd-seed-1"), BY_HAND], silent=[1]),
            "etcd-seed-1",
            id="before units have joined",
        ),
        pytest.param(view([BY_HAND, *UNITS], silent=[10, 11, 12]), "etcd-0", id="nobody of ours"),
    ],
)
def test_it_is_to_be_removed_through_a_member_of_ours_that_answers(seen: View, pod: str) -> None:
    with pytest.raises(StrangerError) as failure:
        require_none(GOAL, seen, Site(**SITE))
    assert failure.value.next_step == REMOVE.format(pod=pod)


@pytest.mark.parametrize("silent", [[], [0xF00D]], ids=["well", "dead"])
@pytest.mark.parametrize("learner", [False, True], ids=["voter", "learner"])
def test_a_sequence_ends_at_once_beside_a_stranger(silent: list[int], learner: bool) -> None:
    seen = view([*UNITS, replace(BY_HAND, learner=learner)], silent=silent)
    now = datetime(2026, 11, 27, tzinfo=UTC)
    kube: Any = SimpleNamespace(
        site=Site(**SITE),
        pods_and_time=lambda: ([], now),  # pyright: ignore[reportUnknownLambdaType]
    )
    cluster: Any = SimpleNamespace(view=lambda: seen, get=lambda _key: "b")  # pyright: ignore[reportUnknownLambdaType]
    known = Lock(cluster_id=f"{CLUSTER:x}", birth="b", revision=0)
    loop = Loop(kube, cluster, Progress("scale", 60), GOAL, known)
    with pytest.raises(StrangerError):
        loop.run(lambda _view, _now: Done(), cluster)
