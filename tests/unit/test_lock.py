"""The split-brain lock: which clusters are taken for the one that was born, and which never."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.output import UNKNOWN

from components.dynamic.lock import Lock, compare, floor
from tests.support.views import CLUSTER, member, view

UNITS = [member(10 + i, f"etcd-{i}") for i in range(3)]
LOCK = Lock(cluster_id=f"{CLUSTER:x}", birth="the-mark", revision=100)


@pytest.mark.parametrize(
    ("lock", "birth", "index", "expected"),
    [
        pytest.param(LOCK, "the-mark", 100, None, id="the same"),
        pytest.param(LOCK, "the-mark", 5000, None, id="it has gone on"),
        pytest.param(LOCK, None, 100, None, id="the mark was not asked for"),
        pytest.param(LOCK, "another", 100, "formed a second time", id="another mark"),
        pytest.param(LOCK, "", 100, "birth mark none", id="no mark: never accepted"),
        pytest.param(LOCK, "the-mark", 99, "data was lost", id="it has gone back"),
        pytest.param(
            Lock("c2", "the-mark", 0), "the-mark", 100, "cluster c2 was born", id="another ID"
        ),
        pytest.param(Lock(LOCK.cluster_id, "", 0), "any", 1, None, id="nothing else recorded"),
    ],
)
def test_only_the_cluster_that_was_born_here_is_touched(
    lock: Lock, birth: str | None, index: int, expected: str | None
) -> None:
    problem = compare(lock, view(UNITS, index=index), birth)
    assert problem is None if expected is None else expected in (problem or "")


def test_without_a_leader_no_revision_is_judged() -> None:
    assert compare(LOCK, view(UNITS, leader=0, index=1), "the-mark") is None


def proof(revision: float, cluster: str = LOCK.cluster_id) -> dict[str, Any]:
    """As Pulumi's state has it."""
    return {"revision": revision, "receipt": {"clusterId": cluster}}


@pytest.mark.parametrize(
    ("noted", "props", "expected"),
    [
        pytest.param(None, {}, 0, id="nowhere"),
        pytest.param(LOCK, {}, 100, id="on the volumes"),
        pytest.param(None, {"floor": 7.0}, 7, id="by another sequence"),
        pytest.param(None, {"proof": proof(8)}, 8, id="by the last run"),
        pytest.param(None, {"proof": proof(8, "c2")}, 0, id="by a run on another cluster"),
        pytest.param(LOCK, {"floor": 120.0, "proof": proof(80)}, 120, id="the highest"),
        pytest.param(LOCK, {"floor": UNKNOWN, "proof": None}, 100, id="not known in a preview"),
        pytest.param(None, {"floor": 0.0, "proof": {}}, 0, id="before the first proof"),
    ],
)
def test_the_floor_is_the_highest_revision_that_is_recorded_anywhere(
    noted: Lock | None, props: dict[str, Any], expected: int
) -> None:
    assert floor(noted, {"cluster_id": LOCK.cluster_id, **props}) == expected
