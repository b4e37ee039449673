"""A node that dies with a unit on it: what is said, and how the cluster gets well.

The lab has one node. The other one here is an entry in Kubernetes with no machine behind it, which
is all that Kubernetes sees of a node that has died; scheduler and controllers are the real ones. No
container ever ran on it, so what clients feel of a member that dies is for the fault scenarios.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.stack import Stack, until

NODE = "lost"
UNIT = "etcd-2"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
"""As in docs/runbook.md."""


@pytest.fixture(scope="module")
def stack(env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Disks that go with the node; one unit on the node that has died."""
    stack = Stack(
        "deadnode",
        env,
        tmp_path_factory.mktemp("deadnode") / "stack",
        seeds={"count": 1},
        storage={"kind": "ephemeral"},
    )
    stack.up()
    yield stack
    stack.kubectl("delete", "node", NODE, "--ignore-not-found")
    stack.remove()


def test_the_unit_and_its_node_are_named_and_nobody_is_touched(
    stack: Stack, tmp_path: Path
) -> None:
    before = {name: pod["metadata"]["uid"] for name, pod in stack.pods().items() if name != UNIT}
    _die(stack, tmp_path)
    told = f"{UNIT}: Pending; its node {NODE} is not ready since "

    status = stack.run(sys.executable, "-m", "components.status", "--stack", stack.name)
    assert status.code == 1, status
    assert f"UNHEALTHY: no answer from {UNIT}; {told}" in status.output

    stack.set(units={"count": 5}, handover={"timeoutSeconds": 30})
    text = stack.refused()
    assert f"not balanced after 30 s: not voters yet: etcd-3, etcd-4; {told}" in text
    assert "Traceback" not in text
    stack.set(units={"count": 3}, handover={"timeoutSeconds": 120})

    now = {name: pod["metadata"]["uid"] for name, pod in stack.pods().items()}
    assert before.items() <= now.items()
    assert len(stack.members()) == 3, "no member is given up while its node may come back"


def test_once_a_person_has_given_the_node_up_the_unit_comes_back(stack: Stack) -> None:
    old = stack.members()[UNIT]["ID"]
    stack.kubectl("delete", "pod", UNIT, "--wait=false")
    until("its end", lambda: "deletionTimestamp" in stack.pods()[UNIT]["metadata"])
    status = stack.run(sys.executable, "-m", "components.status", "--stack", stack.name)
    assert f"{UNIT}: ending since " in status.output, status
    assert f"its node {NODE} is not ready since " in status.output, status

    stack.kubectl("taint", "node", NODE, OUT_OF_SERVICE)
    until(
        "the unit under a new ID", lambda: stack.members().get(UNIT, {}).get("ID", old) != old, 180
    )
    stack.up()
    assert sorted(stack.members()) == sorted(stack.pods()) == ["etcd-0", "etcd-1", UNIT]
    status = stack.run(sys.executable, "-m", "components.status", "--stack", stack.name)
    assert status.code == 0, status
    assert f"Note: etcd-0, etcd-1, {UNIT} are on node " in status.output, "there are two nodes"


def _die(stack: Stack, tmp_path: Path) -> None:
    """Have the unit's pod recreated on a node that does not answer."""
    alive = stack.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    _create(stack, tmp_path, "", {"kind": "Node", "metadata": {"name": NODE}})
    # What the node controller would write after 50 s of silence.
    silent = {
        "type": "Ready",
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "",
        "lastHeartbeatTime": "2026-11-27T03:12:00Z",
        "lastTransitionTime": "2026-11-27T03:12:40Z",
    }
    patch = json.dumps({"status": {"conditions": [silent]}})
    stack.kubectl("patch", "node", NODE, "--subresource=status", f"--patch={patch}")
    stack.kubectl("cordon", alive)
    try:
        stack.kubectl("delete", "pod", UNIT)
        # Before its word comes, or it would come after the binding, with no kubelet to correct it.
        until("the scheduler to have found no node", lambda: _finds_no_node(stack))
        # As the scheduler does, which would not do it now.
        binding = {
            "kind": "Binding",
            "metadata": {"name": UNIT},
            "target": {"kind": "Node", "name": NODE},
        }
        _create(stack, tmp_path, f"/namespaces/{stack.namespace}/pods/{UNIT}/binding", binding)
    finally:
        stack.kubectl("uncordon", alive)


def _finds_no_node(stack: Stack) -> bool:
    conditions = stack.pods().get(UNIT, {}).get("status", {}).get("conditions", [])
    return any(c["type"] == "PodScheduled" and c["status"] == "False" for c in conditions)


def _create(stack: Stack, tmp_path: Path, where: str, what: Mapping[str, object]) -> None:
    file = tmp_path / "object.json"
    file.write_text(json.dumps({"apiVersion": "v1", **what}))
    raw = ("--raw", f"/api/v1{where}") if where else ()
    stack.kubectl("create", *raw, "-f", str(file))
