"""`pulumi up` that is killed goes on where it was; `pulumi destroy` leaves what it should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.stack import Stack, until
from tests.support.writer import Writer

UNITS = ["etcd-0", "etcd-1", "etcd-2"]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("[discovery]   ", id="discovery has begun"),
        pytest.param("is born: 3 seeds vote", id="the cluster is born"),
        pytest.param("all 3 units vote", id="the handover begins"),
        pytest.param("seed etcd-seed-0 removed", id="the first seed is removed"),
    ],
)
def test_an_up_killed_at_any_step_and_run_again_ends_balanced(
    line: str, new_stack: Callable[..., Stack], tmp_path: Path, writer_binary: Path
) -> None:
    stack = new_stack()
    log = tmp_path / "first.log"
    process = stack.start_up(log)
    until(line, lambda: line in log.read_text() or process.poll() is not None, 120)
    stack.kill(process)
    with Writer(writer_binary, [stack.address()], tmp_path, wait_seconds=120) as writer:
        stack.up()
        summary = writer.summary()
    assert sorted(stack.pods()) == UNITS
    assert sorted(stack.members()) == UNITS
    report = writer.check(stack.endpoints())
    assert (report.missing, report.problems, summary.stale_reads) == (0, [], [])
    stack.up("--expect-no-changes")


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


def test_refresh_in_the_middle_ends_no_seed(
    new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = new_stack()
    log = tmp_path / "first.log"
    process = stack.start_up(log)
    until("birth", lambda: "is born" in log.read_text() or process.poll() is not None, 120)
    stack.kill(process)
    seeds = {n: p["metadata"]["uid"] for n, p in stack.pods().items() if "seed" in n}
    done = stack.pulumi("refresh", "--yes", "--skip-preview")
    assert done.code == 0, done
    after = {n: p["metadata"]["uid"] for n, p in stack.pods().items() if "seed" in n}
    assert len(seeds) == 3
    assert after == seeds
    stack.up()
    assert sorted(stack.members()) == UNITS


def test_destroy_leaves_a_namespace_that_was_there_before(
    new_stack: Callable[..., Stack],
) -> None:
    stack = new_stack()
    stack.run("kubectl", "create", "namespace", stack.namespace, check=True)
    stack.kubectl("create", "configmap", "of-somebody-else")
    stack.up()
    stack.destroy()
    left = [o["metadata"]["name"] for o in stack.objects("all,pvc,secrets,configmaps,pdb,roles")]
    assert sorted(left) == ["kube-root-ca.crt", "of-somebody-else"]


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
