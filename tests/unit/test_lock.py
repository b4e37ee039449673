"""The split-brain lock: which clusters are taken for the one that was born, and which never."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.output import UNKNOWN

from components.etcd.lock import (
    BIRTH_ANNOTATION,
    CLUSTER_ANNOTATION,
    REVISION_ANNOTATION,
    Lock,
    compare,
    floor,
    on_volumes,
)
from components.progress import SequenceError
from components.site import Site
from tests.support.dynamic import SITE
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
        pytest.param(LOCK, "", 100, None, id="no mark, but units: a client has deleted it"),
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
    problem = compare(lock, view(UNITS, index=index), birth, "etcd")
    assert problem is None if expected is None else expected in (problem or "")


def test_seeds_alone_without_a_mark_were_never_accepted() -> None:
    seeds = view([member(1 + i, f"etcd-seed-{i}") for i in range(3)], index=100)
    assert "birth mark none" in (compare(LOCK, seeds, "", "etcd") or "")
    assert compare(LOCK, seeds, "the-mark", "etcd") is None


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


def claim(cluster: str | None = LOCK.cluster_id, revision: int = 7, *, ending: bool = False) -> Any:
    noted = {
        CLUSTER_ANNOTATION: cluster,
        BIRTH_ANNOTATION: "the-mark",
        REVISION_ANNOTATION: str(revision),
    }
    return SimpleNamespace(
        name=f"data-etcd-{cluster}-{revision}",
        annotations=noted if cluster else None,
        deletion_timestamp="2026-11-27T03:12:40Z" if ending else None,
    )


def noted_on(*claims: Any) -> Lock | None:
    def volumes(_units: str) -> list[Any]:
        return [SimpleNamespace(metadata=metadata) for metadata in claims]

    kube: Any = SimpleNamespace(site=Site(**SITE), volumes=volumes)
    return on_volumes(kube)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        pytest.param([], None, id="no volume"),
        pytest.param([claim(None)], None, id="a volume that holds nothing yet"),
        pytest.param([claim(), claim(None)], 7, id="a volume that holds a cluster"),
        pytest.param([claim(revision=5), claim(revision=9)], 9, id="the highest revision"),
        pytest.param([claim(ending=True)], None, id="a volume that is being deleted"),
        pytest.param([claim(), claim("c2", ending=True)], 7, id="another cluster's, being deleted"),
    ],
)
def test_only_a_volume_that_stays_holds_a_cluster(claims: list[Any], expected: int | None) -> None:
    found = noted_on(*claims)
    wanted = None if expected is None else Lock(LOCK.cluster_id, "the-mark", expected)
    assert found == wanted


def test_volumes_of_two_clusters_are_refused() -> None:
    with pytest.raises(SequenceError, match="different clusters"):
        noted_on(claim(), claim("c2"))
