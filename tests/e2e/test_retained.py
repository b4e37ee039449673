"""What outlives `pulumi destroy`: data that is to be kept, and what others have beside it.

The others are somebody with no more rights than the preflight asks for.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.background_up import background_up
from tests.support.guest import guest_of
from tests.support.held import held_before_the_first_removal
from tests.support.refusal import the_one_error
from tests.support.runbook import ENDS_ITS_JOBS, blocks
from tests.support.stack import Stack

UP = ("up", "--yes", "--skip-preview")
UNITS = ["etcd-0", "etcd-1", "etcd-2"]
AHEAD = 1_000_000
"""Revisions that the state is made to have seen: as if the disk had come back from an old copy."""


@pytest.fixture(scope="module")
def stack(env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One member at first, whose data is not to be kept yet; the tests below go on from one
    another."""
    folder = tmp_path_factory.mktemp("kept") / "stack"
    one = {"count": 1}
    stack = Stack("kept", env, folder, seeds=one, units=one, storage={"retain": False})
    stack.up()
    yield stack
    stack.remove()


def test_data_that_has_gone_back_is_refused_in_preview_and_taken_as_the_runbook_says(
    stack: Stack,
) -> None:
    """A cluster that is behind what the stack's state has recorded is touched only on purpose."""
    cluster = stack.outputs()["clusterId"]
    _put_the_state_ahead(stack)
    before = stack.pods()["etcd-0"]["metadata"]["uid"]
    stack.set(units={"count": 3})
    for command in (("preview",), UP):
        refused = the_one_error(stack.pulumi(*command))
        assert "was reached already: data was lost" in refused
        assert "docs/runbook.md" in refused
    assert {n: p["metadata"]["uid"] for n, p in stack.pods().items()} == {"etcd-0": before}

    # What the runbook says, in its order.
    keep, again = blocks("Another cluster answers", NAMESPACE=stack.namespace)
    assert keep.splitlines() == ["pulumi config set --path etcd:storage.retain true", "pulumi up"]
    assert _owned(stack)
    stack.set(storage={"retain": True}, units={"count": 1})
    assert stack.pulumi("preview").code == 0
    stack.up()
    destroy, forget, up = again.splitlines()
    assert (destroy, up) == ("pulumi destroy", "pulumi up")
    stack.destroy()
    stack.run(*forget.replace(" data-etcd-1 data-etcd-2", "").split(), check=True)
    stack.set(units={"count": 3})
    stack.up()
    outputs = stack.outputs()
    assert (outputs["clusterId"], outputs["origin"]) == (cluster, "retained")
    assert sorted(stack.members()) == UNITS


def _owned(stack: Stack) -> bool:
    """Whether volumes go with the StatefulSet."""
    return any(claim["metadata"].get("ownerReferences") for claim in stack.objects("pvc"))


def _put_the_state_ahead(stack: Stack) -> None:
    with stack.state() as resources:
        (handover,) = [r for r in resources if r["type"].endswith("etcd:Handover")]
        handover["outputs"]["proof"]["revision"] += AHEAD


def test_retained_data_comes_back_without_seeds(stack: Stack) -> None:
    before = stack.outputs()
    stack.kubectl("exec", "etcd-0", "--", "etcdctl", "put", "kept", "yes")
    stack.destroy()
    assert len(stack.objects("pvc")) == 3
    assert not stack.pods()
    # All in one request: one after the other they would take 10 s.
    stack.kubectl("delete", "--raw", f"/api/v1/namespaces/{stack.namespace}/events")
    _make_unknown_and_known_again(stack)
    again = stack.up()
    assert "no seed is started" in again.output
    events = stack.objects("events", "--field-selector=reason=Started")
    assert sorted({e["involvedObject"]["name"] for e in events}) == UNITS
    after = stack.outputs()
    assert after["clusterId"] == before["clusterId"]
    assert after["origin"] == "retained"
    assert {m["id"] for m in after["members"]} == {m["id"] for m in before["members"]}
    value = stack.kubectl("exec", "etcd-0", "--", "etcdctl", "get", "--print-value-only", "kept")
    assert value.strip() == "yes"


def _make_unknown_and_known_again(stack: Stack) -> None:
    """Volumes as somebody makes them of a snapshot, without a note of whose they are and without a
    StatefulSet's labels: no cluster is born beside them, and the runbook's command gives them to
    this stack."""
    notes = [f"etcd.pulumi.com/{key}" for key in ("cluster-id", "birth", "revision", "peer")]
    stack.kubectl("annotate", "pvc", "--all", *(f"{note}-" for note in notes))
    labels = {label for claim in stack.objects("pvc") for label in claim["metadata"]["labels"]}
    assert "role" in labels
    stack.kubectl("label", "pvc", "--all", *(f"{label}-" for label in sorted(labels)))
    told = stack.refused()
    assert "there before this stack, holds data of etcd" in told
    assert "seeds run" not in told
    (commands,) = blocks("Volumes that nobody knows", NAMESPACE=stack.namespace)
    stack.run("sh", "-euc", commands, check=True)


@pytest.fixture(scope="module")
def guest(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return guest_of(stack, tmp_path_factory.mktemp("guest"))


@pytest.fixture(scope="module")
def beside(
    stack: Stack, guest: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Another stack in the same namespace, of the guest."""
    config: dict[str, Any] = {
        "kubernetes": {"namespace": stack.namespace},
        "etcd": {"name": "kv"},
        "service": {"name": "kv", "type": "LoadBalancer"},
        "seeds": {"count": 1},
    }
    folder = tmp_path_factory.mktemp("beside") / "stack"
    beside = Stack("beside", stack.env, folder, **config)
    beside.namespace = stack.namespace
    with beside.running(beside.program, guest):
        beside.up()
    yield beside
    beside.remove()


def test_a_load_balancers_address_is_waited_for_and_told(beside: Stack) -> None:
    outputs = beside.outputs()
    (service,) = (o for o in beside.objects("services") if o["metadata"]["name"] == "kv")
    (given,) = service["status"]["loadBalancer"]["ingress"]
    assert outputs["clientHost"] == given["ip"] != service["spec"]["clusterIP"]
    assert outputs["endpoint"] == f"http://{given['ip']}:2379"
    command = ("etcdctl", f"--endpoints={outputs['endpoint']}")
    assert beside.run(*command, "put", "greeting", "hello", check=True).output == "OK\n"
    found = beside.run(*shlex.split(outputs["connect"]), "get", "greeting", check=True)
    assert found.output == "greeting\nhello\n"
    status = beside.run(sys.executable, "-m", "components.status", "--stack", beside.name)
    assert status.code == 0, status


def test_keys_are_copied_to_another_stack_as_the_runbook_says(stack: Stack, beside: Stack) -> None:
    """And with them the birth mark, which no sequence bears with."""
    mark = beside.birth_mark("kv-0")
    copy, delete = blocks(
        "Copy the keys to another stack",
        OLD_NAMESPACE=stack.namespace,
        OLD_POD="etcd-0",
        NEW_NAMESPACE=beside.namespace,
        NEW_POD="kv-0",
    )
    # Instead of Ctrl-C.
    copy = re.sub("^etcdctl", "timeout -s INT 5 etcdctl", copy, flags=re.MULTILINE)
    beside.run("bash", "-uc", ENDS_ITS_JOBS + copy)
    get = ("exec", "kv-0", "--", "etcdctl", "get", "--print-value-only")
    assert beside.kubectl(*get, "kept").strip() == "yes"
    assert beside.birth_mark("kv-0") != mark

    beside.set(units={"memory": "300Mi"})
    assert "it was formed a second time" in the_one_error(beside.pulumi(*UP))
    beside.run("sh", "-euc", delete, check=True)
    beside.up()
    assert beside.birth_mark("kv-0") == mark


def test_a_user_with_no_more_than_the_needed_rights_has_a_cluster_and_changes_it(
    beside: Stack, guest: Mapping[str, str]
) -> None:
    """Fewer units, whose volumes go, and another template for the one that stays."""
    assert [m["name"] for m in beside.outputs()["members"]] == ["kv-0", "kv-1", "kv-2"]
    beside.set(units={"count": 1, "memory": "272Mi"})
    with beside.running(beside.program, guest):
        assert "yes" not in beside.kubectl("auth", "can-i", "get", "configmaps", check=False)
        said = beside.up().output
    assert "unit kv-1 removed: 1 members" in said
    assert "unit kv-0 restarts: " in said


def test_destroy_leaves_a_namespace_that_another_stack_is_in(
    stack: Stack, beside: Stack, guest: Mapping[str, str]
) -> None:
    """Although it has made it."""
    stack.set(storage={"retain": False})
    stack.up()
    before = beside.pods()["kv-0"]["metadata"]["uid"]
    said = stack.destroy().output
    assert f"namespace {stack.namespace} stays, for what others have in it: StatefulSet kv" in said
    left = {o["metadata"]["name"]: o["metadata"] for o in beside.objects("pods,pvc")}
    assert sorted(left) == ["data-kv-0", "kv-0"]
    assert left["kv-0"]["uid"] == before
    assert not any("deletionTimestamp" in metadata for metadata in left.values())
    (member,) = beside.etcdctl("member", "list", pod="kv-0")["members"]
    assert member["name"] == "kv-0"
    with beside.running(beside.program, guest):
        beside.up("--expect-no-changes")


def test_destroy_leaves_a_namespace_that_was_there_before(
    beside: Stack, guest: Mapping[str, str]
) -> None:
    assert sorted(beside.pods()) == ["kv-0"], "that of the other stack has gone"
    beside.kubectl("create", "configmap", "of-somebody-else")
    with beside.running(beside.program, guest):
        beside.destroy()
    left = [o["metadata"]["name"] for o in beside.objects("all,pvc,secrets,configmaps,pdb,roles")]
    assert sorted(left) == ["guest", "kube-root-ca.crt", "of-somebody-else"]


def test_half_a_cluster_is_not_kept(new_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """While seeds are members their volumes hold a part of it, and go with every destroy."""
    one = {"count": 1}
    stack = new_stack(seeds=one, units=one, storage={"retain": True})
    held = held_before_the_first_removal(tmp_path / "held")
    with stack.running(held, {}), background_up(stack, tmp_path / "up.log") as up:
        up.wait_for("all 1 units vote", 120)
    before = stack.pods()
    told = the_one_error(stack.pulumi("destroy", "--yes", "--skip-preview"))
    assert "the seeds hold what clients have written" in told
    assert sorted(stack.pods()) == sorted(before), "nothing was touched"
    (command,) = re.findall(
        r"kubectl --context \S+ -n \S+ delete --wait=false pvc data-etcd-0(?=;)", told
    )
    stack.run(*command.split(), check=True)
    stack.destroy()
    assert stack.objects("all,pvc,secrets") == []
