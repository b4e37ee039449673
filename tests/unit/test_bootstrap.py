"""What a birth waits for, and when nothing more can come."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from components.dynamic.bootstrap import explained, not_lost
from components.dynamic.kube import Kube
from components.dynamic.progress import SequenceError, Unmet

WAITS = Unmet("1 of 3 seeds answer as voters")


def kube(*uids: str) -> Kube:
    """A namespace with these pods of the discovery service."""
    found = [SimpleNamespace(metadata=SimpleNamespace(uid=uid)) for uid in uids]

    def pods(_stateful_set: str) -> list[Any]:
        return list(found)

    site = SimpleNamespace(discovery="etcd-discovery")
    return cast(Kube, SimpleNamespace(site=site, pods=pods))


@pytest.mark.parametrize(
    ("there", "service"),
    [
        pytest.param(("first",), ["first"], id="it is there"),
        pytest.param((), None, id="somebody else's"),
    ],
)
def test_what_may_still_come_is_waited_for(there: tuple[str, ...], service: list[str]) -> None:
    assert not_lost(kube(*there), service, WAITS) is WAITS


@pytest.mark.parametrize("there", [(), ("second",)], ids=["gone", "made anew"])
def test_a_lost_discovery_service_ends_the_wait(there: tuple[str, ...]) -> None:
    with pytest.raises(SequenceError) as failure:
        not_lost(kube(*there), ["first"], WAITS)
    assert "lost" in failure.value.problem
    assert "new token" in failure.value.following


def test_a_cluster_that_has_formed_needs_no_discovery_service_any_more() -> None:
    assert not_lost(kube(), ["first"], True) is True


def test_whoever_waits_for_a_seed_is_told_that_its_node_is_gone() -> None:
    def troubles(pods: Iterable[str]) -> list[str]:
        return [f"{pod}: not ready; its node is gone" for pod in pods if pod == "etcd-seed-1"]

    there = {"etcd-seed": ["etcd-seed-0", "etcd-seed-1"], "etcd-discovery": ["etcd-discovery-0"]}
    site = SimpleNamespace(seeds="etcd-seed", discovery="etcd-discovery")
    known = cast(Kube, SimpleNamespace(site=site, pods=there.__getitem__, troubles=troubles))
    assert explained(known, WAITS) == Unmet(
        "1 of 3 seeds answer as voters; etcd-seed-1: not ready; its node is gone"
    )
    assert explained(known, True) is True
