"""What the lab's agent decides: volumes and load-balancer addresses; and that it goes on."""

import json
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from lab import agent, loadbalancer, volumes

POOL = IPv4Network("10.200.1.0/30")
FIRST, SECOND = "10.200.1.1", "10.200.1.2"


def claim(**changes: Any) -> dict[str, Any]:
    """Return a claim that wants a volume, with changes of metadata or spec."""
    metadata = {
        "name": "data-etcd-0",
        "namespace": "etcd",
        "uid": "u-1",
        "annotations": {"volume.kubernetes.io/storage-provisioner": volumes.PROVISIONER},
    }
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "standard",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return {
        "metadata": metadata | changes.get("metadata", {}),
        "spec": spec | changes.get("spec", {}),
    }


@pytest.mark.parametrize(
    ("wanting", "expected"),
    [
        pytest.param(claim(), True, id="unbound and ours"),
        pytest.param(claim(metadata={"annotations": None}), True, id="of our class: need not ask"),
        pytest.param(
            claim(metadata={"annotations": None}, spec={"storageClassName": "late"}),
            False,
            id="not asked of anybody yet",
        ),
        pytest.param(
            claim(
                metadata={
                    "annotations": {
                        "volume.kubernetes.io/storage-provisioner": "pd.csi.storage.gke.io"
                    }
                }
            ),
            True,
            id="asked of GKE, which the lab plays",
        ),
        pytest.param(
            claim(
                metadata={"annotations": {"volume.kubernetes.io/storage-provisioner": "other"}},
                spec={"storageClassName": "other"},
            ),
            False,
            id="asked of another provisioner",
        ),
        pytest.param(claim(spec={"volumeName": "pvc-u-1"}), False, id="bound already"),
        pytest.param(claim(metadata={"deletionTimestamp": "now"}), False, id="being deleted"),
    ],
)
def test_a_volume_is_made_only_for_a_claim_that_waits_for_ours(
    wanting: dict[str, Any], expected: bool
) -> None:
    assert volumes.wants_volume(wanting) is expected


def test_a_volume_belongs_to_its_claim_and_to_the_node_that_the_scheduler_chose() -> None:
    chosen = {"volume.kubernetes.io/selected-node": "chosen"}
    volume = volumes.volume_for(claim(metadata={"annotations": chosen}), "Retain", "n", Path("/v"))
    spec = volume["spec"]
    terms = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["chosen"]
    assert spec["claimRef"]["uid"] == "u-1"
    assert spec["local"]["path"] == "/v/pvc-u-1"
    assert spec["persistentVolumeReclaimPolicy"] == "Retain"


def test_a_second_volume_for_the_same_claim_would_have_the_same_name() -> None:
    one = volumes.volume_for(claim(), "Delete", "n", Path("/v"))
    again = volumes.volume_for(claim(), "Delete", "n", Path("/v"))
    assert one == again
    assert one["metadata"]["name"] == "pvc-u-1"


def volume(
    phase: str = "Released", policy: str = "Delete", by: str = volumes.PROVISIONER, **metadata: Any
) -> dict[str, Any]:
    return {
        "metadata": {"annotations": {"pv.kubernetes.io/provisioned-by": by}} | metadata,
        "spec": {"persistentVolumeReclaimPolicy": policy},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(volume(), True, id="released and to be deleted"),
        pytest.param(volume(phase="Bound"), False, id="in use"),
        pytest.param(volume(phase="Available"), False, id="not bound yet"),
        pytest.param(volume(policy="Retain"), False, id="to be kept"),
        pytest.param(volume(by="other"), False, id="of another provisioner"),
        pytest.param(volume(deletionTimestamp="now"), False, id="being deleted already"),
    ],
)
def test_data_is_removed_only_when_released_ours_and_not_to_be_kept(
    found: dict[str, Any], expected: bool
) -> None:
    assert volumes.is_to_be_deleted(found) is expected


def service(kind: str = "LoadBalancer", *has: str, **spec: str) -> dict[str, Any]:
    ingress = [{"ip": address} for address in has]
    return {
        "spec": {"type": kind} | spec,
        "status": {"loadBalancer": {"ingress": ingress} if has else {}},
    }


@pytest.mark.parametrize(
    ("one", "others", "expected"),
    [
        pytest.param(service(), [], (FIRST,), id="the first of the pool"),
        pytest.param(service(), [service("LoadBalancer", FIRST)], (SECOND,), id="the next free"),
        pytest.param(service("LoadBalancer", SECOND), [], (SECOND,), id="keeps what it has"),
        pytest.param(
            service(),
            [service("LoadBalancer", FIRST), service("LoadBalancer", SECOND)],
            (),
            id="none left: stays pending",
        ),
        pytest.param(service("ClusterIP"), [], (), id="no load balancer wanted"),
        pytest.param(service("ClusterIP", FIRST), [], (), id="no longer wanted: taken away"),
        pytest.param(
            service("LoadBalancer", loadBalancerClass="x/y"), [], (), id="another controller's"
        ),
    ],
)
def test_no_two_services_share_a_load_balancer_address(
    one: dict[str, Any], others: list[dict[str, Any]], expected: tuple[str, ...]
) -> None:
    assert loadbalancer.addresses_due(one, [one, *others], POOL) == expected


class Answer:
    """What a watch of the API server answers: one event a line, and then its end."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self._events = events

    def stream(self, **_how: Any) -> Iterator[bytes]:
        return (json.dumps(event).encode() + b"\n" for event in self._events)

    def close(self) -> None: ...

    def release_conn(self) -> None: ...


def test_a_watch_that_cannot_go_on_is_begun_anew() -> None:
    """As a real API server tells it: the list is too old to go on from (410)."""
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    lists = 0

    def listing(**how: Any) -> Any:
        """
        :return: V1PersistentVolumeClaimList
        """
        nonlocal lists
        if how.get("watch"):
            return Answer({"type": "ADDED", "object": late}, {"type": "ERROR", "object": gone})
        lists += 1
        return {"metadata": {"resourceVersion": "1"}, "items": [claim()] if lists == 1 else []}

    seen: list[tuple[str, list[str]]] = []
    late = claim(metadata={"uid": "u-2"})

    def react(item: dict[str, Any], known: dict[str, Any]) -> None:
        seen.append((item["metadata"]["uid"], sorted(known)))
        if lists == 2:
            raise StopIteration  # none of the errors after which it goes on: the end of the test

    with pytest.raises(StopIteration):
        agent.follow(client.ApiClient(), listing, react)
    assert seen == [("u-1", ["u-1"]), ("u-2", ["u-1", "u-2"]), ("u-2", ["u-2"])]
