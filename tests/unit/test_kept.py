"""Settings that do not fit the volumes on which a cluster was kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from components.dynamic.kept import misfits
from components.dynamic.lock import CLUSTER_ANNOTATION, PEER_ANNOTATION, Lock, notes
from components.dynamic.site import Site
from tests.support.dynamic import SITE as PLACE

SITE = Site(**PLACE)
FIXED = {
    "storage.kind": "persistent",
    "storage.size": "20Gi",
    "kubernetes.clusterDomain": "cluster.local",
    "etcd.peerPort": "2380",
}


def claim(
    ordinal: int,
    size: str = "20Gi",
    *,
    going: bool = False,
    without: str | None = None,
    peer: str | None = None,
) -> Any:
    """`peer`: where its member is found; null is where this stack has it."""
    peer = peer or f"etcd-{ordinal}.etcd-peer.etcd.svc.cluster.local:2380"
    annotations = {CLUSTER_ANNOTATION: "c1", PEER_ANNOTATION: peer}
    return SimpleNamespace(
        metadata=SimpleNamespace(
            name=f"data-etcd-{ordinal}",
            annotations={k: v for k, v in annotations.items() if k != without},
            deletion_timestamp="now" if going else None,
        ),
        spec=SimpleNamespace(resources=SimpleNamespace(requests={"storage": size})),
    )


def found(claims: list[Any], changed: dict[str, str], count: int = 3) -> list[str]:
    return misfits(SITE, claims, {"fixed": {**FIXED, **changed}, "unit_pods": count})


TRIO = [claim(i) for i in range(3)]


@pytest.mark.parametrize(
    ("claims", "changed", "said"),
    [
        pytest.param(TRIO, {"storage.kind": "memory"}, "storage.kind persistent", id="no volumes"),
        pytest.param(
            [claim(0, "2Gi"), claim(1, "1Gi")], {}, "storage.size 1Gi", id="smaller than is said"
        ),
        pytest.param(
            TRIO, {"etcd.peerPort": "2390"}, "Set etcd:etcd.peerPort back to 2380", id="port"
        ),
        pytest.param(
            TRIO,
            {"kubernetes.clusterDomain": "corp.test"},
            "Set etcd:kubernetes.clusterDomain back to cluster.local",
            id="another domain",
        ),
        pytest.param(
            [claim(0, peer="etcd-0.etcd-peer.shop.svc.cluster.local:2380")],
            {},
            "Set etcd:kubernetes.namespace back to shop, and restore the volumes there",
            id="brought from another namespace",
        ),
        pytest.param(
            [claim(0, peer="kv-0.kv-peer.shop.svc.cluster.local:2390")],
            {},
            "Set etcd:etcd.name back to kv and etcd:kubernetes.namespace back to shop and "
            "etcd:etcd.peerPort back to 2390, and restore the volumes there",
            id="brought from a cluster of another name",
        ),
        pytest.param(
            [claim(0), claim(1, peer="etcd-2.etcd-peer.etcd.svc.cluster.local:2380")],
            {},
            "of which data-etcd-1 is of the member at etcd-2.etcd-peer.etcd.svc.",
            id="in the place of another unit",
        ),
        pytest.param([claim(i) for i in range(5)], {}, "units.count 5", id="fewer units"),
        pytest.param([claim(i) for i in range(4)], {}, "units.count 5", id="an even number"),
    ],
)
def test_what_does_not_fit_is_said_with_what_to_set(
    claims: list[Any], changed: dict[str, str], said: str
) -> None:
    (problem,) = found(claims, changed)
    assert "hold cluster c1" in problem
    assert said in problem


@pytest.mark.parametrize(
    ("claims", "changed"),
    [
        pytest.param(TRIO, {}, id="all as it was"),
        pytest.param(TRIO, {"storage.size": "20480Mi"}, id="the same size in other words"),
        pytest.param([claim(0, "40Gi")], {}, id="grown by hand"),
        pytest.param([], {"storage.kind": "memory"}, id="nothing is kept"),
        pytest.param([claim(0, "1Gi", going=True)], {}, id="a volume that goes"),
        pytest.param(
            [claim(0, "1Gi", without=CLUSTER_ANNOTATION)], {}, id="a volume without a cluster"
        ),
        pytest.param(
            [claim(0, without=PEER_ANNOTATION)], {"etcd.peerPort": "2390"}, id="nothing noted"
        ),
    ],
)
def test_what_fits_is_taken(claims: list[Any], changed: dict[str, str]) -> None:
    assert found(claims, changed) == []


def test_more_units_than_were_kept_join_as_ever() -> None:
    assert found(TRIO, {}, count=5) == []


def test_the_notes_go_from_the_volume_of_a_unit_that_has_left() -> None:
    lock = Lock("c1", "mark", 7)
    peer = "etcd-0.etcd-peer.etcd.svc.cluster.local:2380"
    assert set(notes(lock, None).values()) == {None}
    assert notes(lock, peer)[PEER_ANNOTATION] == peer
    assert notes(lock, None).keys() == notes(lock, peer).keys()
