"""The split-brain lock: which clusters are taken for the one that was born, and which never."""

from __future__ import annotations

import pytest

from components.dynamic.lock import Lock, compare
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
