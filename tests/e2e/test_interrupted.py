"""`pulumi up` that is killed goes on where it was, and what it has made is known for its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.background_up import background_up
from tests.support.stack import Stack
from tests.support.writer import Writer

UNITS = ["etcd-0", "etcd-1", "etcd-2"]


STEPS = {
    "discovery has begun": "[discovery] ",
    # Or was, where the kill before came late.
    "the cluster is born": " born",
    "the handover begins": "all 3 units vote",
    # Whichever is left to be removed: the kill before may have come late.
    "seeds are being removed": " removed: ",
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
    cleared = stack.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    assert cleared.code == 0, cleared
    again = stack.up("--expect-no-changes")
    assert "interrupted while" not in again.output


def killed_at(line: str, stack: Stack, log: Path) -> None:
    """Run `up` and kill it as soon as it says this."""
    with background_up(stack, log) as up:
        up.wait_for(line, 120)
        assert up.end(), up.output


def refresh_ends_no_seed(stack: Stack) -> None:
    seeds = seed_pods(stack)
    assert len(seeds) == 3
    done = stack.pulumi("refresh", "--yes", "--skip-preview")
    assert done.code == 0, done
    assert seed_pods(stack) == seeds


def seed_pods(stack: Stack) -> dict[str, str]:
    """The seeds' pods and their unique IDs."""
    return {n: p["metadata"]["uid"] for n, p in stack.pods().items() if "seed" in n}


@pytest.fixture(scope="module")
def taken_over(env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose first `up` was killed once it had made objects, and the second one was not."""
    folder = tmp_path_factory.mktemp("taken")
    one = {"count": 1}
    stack = Stack("taken-over", env, folder / "stack", seeds=one, units=one)
    with background_up(stack, folder / "first.log") as up:
        # Not "Service ... created": Pulumi says that before it notes it in its state, but begins
        # with what depends on a resource only when that is noted.
        up.wait_for("[discovery] ", 120)
    forget(stack, "kubernetes:core/v1:Service")
    unknown = services(stack)
    stack.up()
    assert not unknown & services(stack), "each is let go and recreated"
    yield stack
    stack.remove()


def services(stack: Stack) -> set[str]:
    """The unique IDs of the namespace's Services."""
    return {service["metadata"]["uid"] for service in stack.objects("services")}


def forget(stack: Stack, kind: str) -> None:
    """Pulumi's state as it is after a kill just before any object of this kind was noted in it,
    and with it whatever needs one: that moment is too short to be hit."""
    with stack.state() as resources:
        gone: set[str] = set()
        for resource in list(resources):  # each comes after what it needs
            if resource["type"] == kind or gone & needs(resource):
                gone.add(resource["urn"])
                resources.remove(resource)
    assert gone, "or nothing is taken over"


def needs(resource: Mapping[str, Any]) -> set[str]:
    """The resources that must be in the state where this one is."""
    of_properties = resource.get("propertyDependencies", {}).values()
    return {
        resource.get("parent", ""),
        resource.get("deletedWith", ""),
        resource.get("provider", "").rpartition("::")[0],
        *resource.get("dependencies", []),
        *(urn for urns in of_properties for urn in urns or []),
    }


def test_an_up_killed_before_it_noted_its_objects_takes_them_over(taken_over: Stack) -> None:
    assert sorted(taken_over.members()) == ["etcd-0"]
    taken_over.up("--expect-no-changes")


def test_destroy_leaves_a_namespace_in_which_somebody_has_more_than_pods(taken_over: Stack) -> None:
    """Although it has made it, and nothing of that runs at the moment."""
    stack = taken_over
    once_a_year = ("--image=backup", "--schedule=0 0 1 1 *")
    stack.kubectl("create", "cronjob", "backup", *once_a_year)
    stack.kubectl("create", "secret", "generic", "backup-key", "--from-literal=key=word")
    said = stack.destroy().output
    others = "CronJob backup, Secret backup-key"
    assert f"namespace {stack.namespace} stays, for what others have in it: {others}" in said
    left = [o["metadata"]["name"] for o in stack.objects("all,pvc,secrets,configmaps,pdb,roles")]
    assert sorted(left) == ["backup", "backup-key", "kube-root-ca.crt"]
