"""Settings that do not fit the units' volumes that are there already."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from components.etcd.lock import PEER_ANNOTATION, Lock, notes
from components.names import CLUSTER_ANNOTATION
from components.preflight.kept import misfits
from components.site import Site
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
    of: str | None = "standard",
    name: str = "data-etcd",
) -> Any:
    """`peer`: where its member is found; null is where this stack has it. `of`: its class."""
    peer = peer or f"etcd-{ordinal}.etcd-peer.etcd.svc.cluster.local:2380"
    annotations = {CLUSTER_ANNOTATION: "c1", PEER_ANNOTATION: peer}
    return SimpleNamespace(
        metadata=SimpleNamespace(
            name=f"{name}-{ordinal}",
            annotations={k: v for k, v in annotations.items() if k != without},
            deletion_timestamp="now" if going else None,
        ),
        spec=SimpleNamespace(
            resources=SimpleNamespace(requests={"storage": size}), storage_class_name=of
        ),
    )


def left(ordinal: int, size: str = "20Gi", **more: Any) -> Any:
    """A claim without the note of a cluster."""
    return claim(ordinal, size, without=CLUSTER_ANNOTATION, **more)


def found(
    claims: list[Any], changed: dict[str, str], count: int = 3, storage_class: str = ""
) -> list[str]:
    fixed = {**FIXED, **changed}
    props = {
        "fixed": fixed,
        "unit_pods": count,
        "unit_volumes": count if fixed["storage.kind"] == "persistent" else 0,
        "storage": fixed["storage.size"],
        "storage_class": storage_class,
    }
    return misfits(SITE, claims, props)


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
        pytest.param([left(0)], {}, id="a volume without a cluster, of that size"),
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


# ------------------------------------------------- volumes without the note of a cluster


def test_volumes_that_no_cluster_came_to_are_not_taken_where_they_are_too_small() -> None:
    (problem,) = found([left(0, "1Gi"), left(1, "1Gi"), left(2)], {})
    assert problem == (
        "volume claims of namespace etcd, which units would take as they are: data-etcd-0 (1Gi, "
        "class standard), data-etcd-1 (1Gi, class standard); asked for: 20Gi. Nothing says that "
        "they hold a cluster. If what they hold is not wanted: kubectl --context here -n etcd "
        "delete pvc data-etcd-0 data-etcd-1; else set back what is asked for: "
        "pulumi config set --path etcd:storage.size 1Gi"
    )


@pytest.mark.parametrize(
    ("claims", "storage_class", "said"),
    [
        pytest.param(
            [left(0, of="slow"), left(1, of="slow")],
            "fast",
            "data-etcd-0 (20Gi, class slow), data-etcd-1 (20Gi, class slow); asked for: 20Gi, "
            "class fast.",
            id="of another class",
        ),
        pytest.param(
            [left(0, of="slow")],
            "fast",
            "what is asked for: pulumi config set --path etcd:storage.className slow",
            id="the class is set back",
        ),
        pytest.param(
            [left(0, "2Gi", of="slow"), left(1, "1024Mi", of="slow")],
            "fast",
            "what is asked for: pulumi config set --path etcd:storage.size 1024Mi, "
            "pulumi config set --path etcd:storage.className slow",
            id="both",
        ),
        pytest.param(
            [left(0, of=None)],
            "fast",
            "(20Gi, no class); asked for: 20Gi, class fast. Nothing says that they hold a cluster. "
            "If what they hold is not wanted: kubectl --context here -n etcd delete pvc "
            "data-etcd-0; else set back what is asked for: pulumi config rm --path "
            "etcd:storage.className",
            id="of no class, since there was no default",
        ),
        pytest.param(
            [left(4, "1Gi")], "", "delete pvc data-etcd-4", id="of a unit that may come later"
        ),
        pytest.param(
            [*TRIO, left(3, "1Gi")], "", "delete pvc data-etcd-3", id="beside a kept cluster"
        ),
    ],
)
def test_what_is_wrong_with_them_is_said_with_what_to_do(
    claims: list[Any], storage_class: str, said: str
) -> None:
    (problem,) = found(claims, {}, storage_class=storage_class)
    assert said in problem


def test_no_class_is_named_to_go_back_to_where_they_are_of_several() -> None:
    mixed = [left(0, "1Gi", of="slow"), left(1, of="fast")]
    (problem,) = found(mixed, {}, storage_class="fast")
    assert problem.endswith("is not wanted: kubectl --context here -n etcd delete pvc data-etcd-0")


@pytest.mark.parametrize(
    ("claims", "changed", "storage_class"),
    [
        pytest.param([left(0, "20480Mi")], {}, "", id="the same size in other words"),
        pytest.param([left(0, "40Gi")], {}, "", id="larger"),
        pytest.param([left(0, of="slow")], {}, "", id="the default class, whichever it was"),
        pytest.param([left(0, of="fast")], {}, "fast", id="of that class"),
        pytest.param([left(0, "1Gi", going=True)], {}, "fast", id="a volume that goes"),
        pytest.param([left(0, "1Gi")], {"storage.kind": "memory"}, "", id="none are used"),
        pytest.param([left(0, "1Gi", name="data-etcd-seed")], {}, "fast", id="a seed's"),
        pytest.param([left(0, "1Gi", name="data-kv")], {}, "fast", id="of another name"),
    ],
)
def test_volumes_that_units_can_take_are_no_obstacle(
    claims: list[Any], changed: dict[str, str], storage_class: str
) -> None:
    assert found(claims, changed, storage_class=storage_class) == []
