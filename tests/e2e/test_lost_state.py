"""Pulumi's state is lost while the cluster runs: nothing is touched, and the runbook's way back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.background_up import background_up
from tests.support.held import held_before_the_first_removal
from tests.support.refusal import the_one_error
from tests.support.runbook import ENDS_ITS_JOBS, blocks
from tests.support.stack import Stack, until

UP = ("up", "--yes", "--skip-preview")


@pytest.fixture(scope="module")
def stack(env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Every test but the last leaves a balanced cluster."""
    folder = tmp_path_factory.mktemp("lost") / "stack"
    stack = Stack("lost-state", env, folder, seeds={"count": 1})
    stack.up()
    yield stack
    stack.remove()


def test_members_whose_statefulset_is_gone_are_not_ended_by_another(stack: Stack) -> None:
    """Recreated it has one replica, and the others would end at once."""
    before = {name: pod["metadata"]["uid"] for name, pod in stack.pods().items()}
    members = {name: member["ID"] for name, member in stack.members().items()}
    stack.kubectl("delete", "statefulset", "etcd", "--cascade=orphan")
    assert stack.pulumi("refresh", "--yes", "--skip-preview").code == 0
    refused = the_one_error(stack.pulumi(*UP))
    assert "etcd-1, etcd-2 would end at once" in refused
    assert {name: pod["metadata"]["uid"] for name, pod in stack.pods().items()} == before

    stack.kubectl("delete", "pod", *before)
    stack.up()
    assert {name: member["ID"] for name, member in stack.members().items()} == members


def test_a_cluster_whose_state_is_lost_is_left_alone_and_comes_back_from_its_volumes(
    stack: Stack,
) -> None:
    cluster = stack.outputs()["clusterId"]
    stack.etcdctl("put", "key", "value")
    before = _seen(stack)
    _lose_the_state(stack)
    refused = the_one_error(stack.pulumi(*UP))
    assert "but not in its state" in refused
    assert "docs/runbook.md" in refused
    assert _seen(stack) == before

    look, keep, go = blocks("The state is lost", NAMESPACE=stack.namespace)
    listed = stack.run("sh", "-euc", look, check=True).output
    assert "etcd-2" in listed
    assert "seed" not in listed
    stack.run("sh", "-euc", keep, check=True)
    until("the volumes to belong to nobody", lambda: not _owners(stack))
    stack.run("sh", "-euc", _without_pulumi(go), check=True)
    until("the end of the pods", lambda: not stack.pods())
    for group, values, told in (
        ("storage", {"size": "2Gi"}, "less than etcd:storage.size (2Gi)"),
        ("storage", {"kind": "ephemeral"}, "etcd:storage.kind is ephemeral"),
        ("units", {"count": 1}, "more than etcd:units.count (1)"),
    ):
        stack.set(**{group: values})
        assert told in the_one_error(stack.pulumi(*UP))
        stack.set(storage={"size": "1Gi", "kind": "persistent"}, units={"count": 3})
    assert stack.objects("statefulsets") == []
    stack.up()
    assert (stack.outputs()["clusterId"], stack.outputs()["origin"]) == (cluster, "retained")
    assert stack.kubectl("exec", "etcd-0", "--", "etcdctl", "get", "key") == "key\nvalue\n"


def test_a_state_lost_in_the_middle_of_a_handover_costs_no_data(
    new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """The seeds' disks go with their StatefulSet, so the runbook has the seeds removed first."""
    one = {"count": 1}
    stack = new_stack(seeds=one, units=one)
    held = held_before_the_first_removal(tmp_path / "held")
    with stack.running(held, {}), background_up(stack, tmp_path / "up.log") as up:
        up.wait_for("all 1 units vote", 120)
    assert "supervisor: running as a seed" in stack.kubectl("logs", "etcd-seed-0")
    status = stack.kubectl("exec", "etcd-seed-0", "--", "python3", "-m", "supervisor", "status")
    assert json.loads(status)["phase"] == "running as a seed"
    stack.etcdctl("put", "key", "value")
    members = stack.members()
    assert sorted(members) == ["etcd-0", "etcd-seed-0"]
    words = {
        "NAMESPACE": stack.namespace,
        "UNIT_ID": f"{members['etcd-0']['ID']:x}",
        "SEED_ID": f"{members['etcd-seed-0']['ID']:x}",
    }
    _lose_the_state(stack)
    look, keep, go = blocks("The state is lost", **words)
    assert "etcd-seed-0" in stack.run("sh", "-euc", look, check=True).output

    (remove,) = blocks("Seeds are still members", **words)
    (endpoint,) = stack.etcdctl("endpoint", "status")
    if endpoint["Status"]["leader"] == members["etcd-0"]["ID"]:
        remove = remove.partition("\n")[2]  # by an election of its own
    stack.run("sh", "-euc", remove, check=True)
    (note,) = blocks("Volumes that nobody knows", **words)
    note = note.replace(" data-etcd-1 data-etcd-2", "")
    stack.run("sh", "-euc", note, check=True)
    stack.run("sh", "-euc", keep, check=True)
    until("the volume to belong to nobody", lambda: "data-etcd-0" not in _owners(stack))
    stack.run("sh", "-euc", _without_pulumi(go), check=True)
    until("the end of the pods", lambda: not stack.pods())
    stack.up()
    assert stack.outputs()["origin"] == "retained"
    assert sorted(stack.members()) == ["etcd-0"]
    assert stack.kubectl("exec", "etcd-0", "--", "etcdctl", "get", "key") == "key\nvalue\n"


def test_a_snapshot_is_taken_as_the_runbook_says(stack: Stack, tmp_path: Path) -> None:
    (block,) = blocks("A snapshot", NAMESPACE=stack.namespace)
    stack.run("bash", "-euc", f"cd {tmp_path}\n{ENDS_ITS_JOBS}{block}", check=True)
    status = ("etcdutl", "snapshot", "status", str(tmp_path / "etcd.db"), "-w", "json")
    found = stack.run(*status, check=True).output
    assert int(re.findall(r'"totalKey":(\d+)', found)[0]) > 1


def test_a_namespace_that_was_deleted_is_noticed_and_no_other_cluster_is_born_in_it_unasked(
    stack: Stack,
) -> None:
    """The last one: no cluster is left."""
    stack.kubectl("delete", "namespace", stack.namespace, "--wait=false")
    # Members that are all told to end wait in vain for each other, until their time is over.
    stack.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")
    stack.kubectl("wait", "--for=delete", f"namespace/{stack.namespace}", "--timeout=300s")
    assert "does not exist" in stack.refused()
    refreshed = stack.pulumi("refresh", "--yes", "--skip-preview")
    assert refreshed.code == 0
    assert f"namespace {stack.namespace} is gone, with all that was in it" in refreshed.output
    stack.set(handover={"timeoutSeconds": 30})
    refused = the_one_error(stack.pulumi(*UP))
    assert "the cluster does not answer" in refused
    assert "pulumi destroy, then pulumi up" in refused
    assert stack.pods()["etcd-seed-0"]["spec"]["schedulingGates"], "no seed runs"
    stack.destroy()


def _without_pulumi(commands: str) -> str:
    """What is typed beside `pulumi up`, which a test runs with the stack's own flags."""
    *others, last = commands.splitlines()
    assert last == "pulumi up"
    return "\n".join(others)


def _seen(stack: Stack) -> dict[str, str]:
    """Every object that an `up` would make, by its unique ID."""
    kinds = "pods,statefulsets,services,serviceaccounts,roles,rolebindings,poddisruptionbudgets"
    found = stack.objects(kinds, "-l", "app.kubernetes.io/name=etcd")
    return {f"{o['kind']} {o['metadata']['name']}": o["metadata"]["uid"] for o in found}


def _owners(stack: Stack) -> list[str]:
    claims = stack.objects("persistentvolumeclaims")
    return [c["metadata"]["name"] for c in claims if c["metadata"].get("ownerReferences")]


def _lose_the_state(stack: Stack) -> None:
    stack.run(
        *("pulumi", "stack", "rm", "--yes", "--force", "--preserve-config"),
        *("--stack", stack.name),
        check=True,
    )
    folder = ("--cwd", str(stack.folder))
    stack.run("pulumi", *folder, "stack", "init", stack.name, "--no-select", check=True)
