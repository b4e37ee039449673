"""`pulumi up` that is killed goes on where it was; `pulumi destroy` leaves what it should."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support.stack import CHECKOUT, Stack, until
from tests.support.writer import Writer

RUNBOOK = CHECKOUT / "docs" / "runbook.md"
UNITS = ["etcd-0", "etcd-1", "etcd-2"]


STEPS = {
    "discovery has begun": "[discovery]   ",
    "the cluster is born": "is born: 3 seeds vote",
    "the handover begins": "all 3 units vote",
    # The kill before came after the decision to remove the first one, perhaps after the removal.
    "seeds are being removed": "removed: 4 members",
}
"""What an `up` is doing when it is killed, by the line that says so."""


def test_an_up_killed_at_one_step_after_the_other_ends_balanced(
    new_stack: Callable[..., Stack], tmp_path: Path, writer_binary: Path
) -> None:
    """Each `up` goes on from where the one before was killed, until it is killed at a later step;
    and a refresh between two of them ends no seed."""
    stack = new_stack()
    with ExitStack() as stopping:
        writer: Writer | None = None
        for step, line in STEPS.items():
            log = tmp_path / f"{step}.log"
            killed_at(line, stack, log)
            if writer is None:
                writer = Writer(writer_binary, [stack.address()], tmp_path, wait_seconds=120)
                stopping.enter_context(writer)
            if step == "the cluster is born":
                refresh_ends_no_seed(stack)
        assert writer is not None
        stack.up()
        summary = writer.summary()
    assert sorted(stack.pods()) == UNITS
    assert sorted(stack.members()) == UNITS
    report = writer.check(stack.endpoints())
    assert (report.missing, report.problems, summary.stale_reads) == (0, [], [])
    stack.up("--expect-no-changes")


def killed_at(line: str, stack: Stack, log: Path) -> None:
    """Run `up` and kill it as soon as it says this."""
    process = stack.start_up(log)
    until(line, lambda: line in log.read_text() or process.poll() is not None, 120)
    assert process.poll() is None, log.read_text()
    stack.kill(process)


def refresh_ends_no_seed(stack: Stack) -> None:
    seeds = seed_pods(stack)
    assert len(seeds) == 3
    done = stack.pulumi("refresh", "--yes", "--skip-preview")
    assert done.code == 0, done
    assert seed_pods(stack) == seeds


def seed_pods(stack: Stack) -> dict[str, str]:
    """The seeds' pods and their unique IDs."""
    return {n: p["metadata"]["uid"] for n, p in stack.pods().items() if "seed" in n}


def test_an_up_killed_while_objects_are_made_takes_them_over(
    new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = new_stack(seeds={"count": 1}, units={"count": 1})
    process = stack.start_up(tmp_path / "first.log")
    # Kubernetes has made it, and Pulumi's state does not know of it yet.
    made = ("kubectl", "-n", stack.namespace, "get", "services", "-o", "name")
    until("the first object", lambda: "service/" in stack.run(*made).output)
    stack.kill(process)
    stack.up()
    assert sorted(stack.members()) == ["etcd-0"]
    stack.up("--expect-no-changes")


def test_destroy_leaves_a_namespace_that_was_there_before(
    new_stack: Callable[..., Stack],
) -> None:
    stack = new_stack(seeds={"count": 1}, units={"count": 1})
    stack.run("kubectl", "create", "namespace", stack.namespace, check=True)
    stack.kubectl("create", "configmap", "of-somebody-else")
    stack.up()
    stack.destroy()
    left = [o["metadata"]["name"] for o in stack.objects("all,pvc,secrets,configmaps,pdb,roles")]
    assert sorted(left) == ["kube-root-ca.crt", "of-somebody-else"]


def test_destroy_leaves_a_namespace_in_which_somebody_has_more_than_pods(
    new_stack: Callable[..., Stack],
) -> None:
    """Although it has made it, and nothing of that runs at the moment."""
    stack = new_stack(seeds={"count": 1}, units={"count": 1})
    stack.up()
    once_a_year = ("--image=backup", "--schedule=0 0 1 1 *")
    stack.kubectl("create", "cronjob", "backup", *once_a_year)
    stack.kubectl("create", "secret", "generic", "backup-key", "--from-literal=key=word")
    said = stack.destroy().output
    others = "CronJob backup, Secret backup-key"
    assert f"namespace {stack.namespace} stays, for what others have in it: {others}" in said
    left = [o["metadata"]["name"] for o in stack.objects("all,pvc,secrets,configmaps,pdb,roles")]
    assert sorted(left) == ["backup", "backup-key", "kube-root-ca.crt"]


def test_destroy_leaves_a_namespace_that_another_stack_is_in(
    new_stack: Callable[..., Stack],
) -> None:
    """Although it has made it."""
    single: dict[str, Any] = {"seeds": {"count": 1}, "units": {"count": 1}}
    first = new_stack(**single)
    first.up()
    place = {"namespace": first.namespace}
    beside = new_stack(**single, kubernetes=place, etcd={"name": "kv"}, service={"name": "kv"})
    beside.namespace = first.namespace
    beside.up()
    before = beside.pods()["kv-0"]["metadata"]["uid"]
    said = first.destroy().output
    assert f"namespace {first.namespace} stays, for what others have in it: StatefulSet kv" in said
    left = {o["metadata"]["name"]: o["metadata"] for o in beside.objects("pods,pvc")}
    assert sorted(left) == ["data-kv-0", "kv-0"]
    assert left["kv-0"]["uid"] == before
    assert not any("deletionTimestamp" in metadata for metadata in left.values())
    (member,) = beside.etcdctl("member", "list", pod="kv-0")["members"]
    assert member["name"] == "kv-0"
    beside.up("--expect-no-changes")
    beside.destroy()
    assert beside.objects("pods,pvc") == []


def test_retained_data_comes_back_without_seeds(
    new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = new_stack(storage={"retain": True})
    stack.up()
    before = stack.outputs()
    stack.kubectl("exec", "etcd-0", "--", "etcdctl", "put", "kept", "yes")
    stack.destroy()
    assert len(stack.objects("pvc")) == 3
    assert not stack.pods()
    stack.kubectl("delete", "events", "--all")
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
    stack.set(storage={"retain": False})
    stack.up()


def _make_unknown_and_known_again(stack: Stack) -> None:
    """Volumes as somebody makes them of a snapshot, without a note of whose they are: no cluster is
    born beside them, and the runbook's command gives them to this stack."""
    notes = [f"etcd.pulumi.com/{key}" for key in ("cluster-id", "birth", "revision", "peer")]
    stack.kubectl("annotate", "pvc", "--all", *(f"{note}-" for note in notes))
    told = stack.refused()
    assert "there before this stack, holds data of etcd" in told
    assert "seeds run" not in told
    (block,) = [
        text
        for text in RUNBOOK.read_text().split("```sh")[1:]
        if "etcd.pulumi.com/cluster-id=" in text.split("```")[0]
    ]
    commands = block.split("```")[0].replace("NAMESPACE", stack.namespace)
    stack.run("sh", "-euc", commands, check=True)
