"""A node pool of the stand-in is the lab's node, as the pool describes its nodes."""

from __future__ import annotations

from pathlib import Path

from lab.plugins.gcp.nodes import Node, labels, taints
from tests.support.gcp_inputs import GOOD


def test_nodes_have_the_labels_of_the_pool_and_of_their_place() -> None:
    assert labels(GOOD["NodePool"], "us-central1") == {
        "etcd.pulumi.com/dedicated": "true",
        "cloud.google.com/gke-nodepool": "etcd",
        "topology.kubernetes.io/region": "us-central1",
        "topology.kubernetes.io/zone": "us-central1-a",
    }
    zonal = labels(GOOD["NodePool"], "us-central1-f")
    assert zonal["topology.kubernetes.io/zone"] == "us-central1-f"
    assert zonal["topology.kubernetes.io/region"] == "us-central1"


def test_taints_are_written_as_kubernetes_writes_them() -> None:
    assert taints(GOOD["NodePool"]) == ["dedicated=etcd:NoSchedule"]
    assert taints({"name": "plain"}) == []


def test_a_pool_that_goes_takes_its_labels_and_taints_along(tmp_path: Path) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n')
    kubectl.chmod(0o755)
    node = Node(kubectl, tmp_path / "config")
    node.join(GOOD["NodePool"], "us-central1")
    node.leave(GOOD["NodePool"], "us-central1")
    calls = (tmp_path / "calls").read_text()
    assert "label node --all --overwrite etcd.pulumi.com/dedicated=true" in calls
    assert "taint node --all --overwrite dedicated=etcd:NoSchedule" in calls
    assert "label node --all etcd.pulumi.com/dedicated-" in calls
    assert "taint node --all dedicated-" in calls
