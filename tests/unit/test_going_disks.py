"""Which disks a destroy waits for, before it lets the cluster go that would delete them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from components.kube.claims import going_disks

WORKLOADS = ("etcd", "etcd-seed")


def volume(
    claim: str | None = "data-etcd-0", namespace: str = "etcd", policy: str = "Delete"
) -> Any:
    reference = None if claim is None else SimpleNamespace(name=claim, namespace=namespace)
    return SimpleNamespace(
        metadata=SimpleNamespace(name="pvc-1"),
        spec=SimpleNamespace(persistent_volume_reclaim_policy=policy, claim_ref=reference),
    )


@pytest.mark.parametrize("claim", ["data-etcd-0", "data-etcd-12", "data-etcd-seed-2"])
def test_disks_of_members_are_waited_for(claim: str) -> None:
    assert going_disks([volume(claim)], "etcd", WORKLOADS) == ["pvc-1"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(volume("data-kv-0"), id="of another workload"),
        pytest.param(volume("data-etcd-other-0"), id="of a workload with a similar name"),
        pytest.param(volume("etcd-0"), id="of another claim"),
        pytest.param(volume(None), id="of no claim yet"),
        pytest.param(volume(namespace="other"), id="of another namespace"),
        pytest.param(volume(policy="Retain"), id="that stay by themselves"),
    ],
)
def test_no_other_disk_holds_a_destroy_up(other: Any) -> None:
    assert going_disks([other], "etcd", WORKLOADS) == []
