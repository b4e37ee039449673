"""More and fewer units, and other pods for them, by a change of the stack's config, under load."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import images, tools
from lab.state import Lab
from tests.faults.cluster import is_ready
from tests.support.background_up import background_up
from tests.support.refusal import the_one_error
from tests.support.stack import Stack, until
from tests.support.writer import Writer, interrupted


@pytest.fixture(scope="module")
def stack(env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One member at first; every test leaves a balanced cluster."""
    folder = tmp_path_factory.mktemp("scaling")
    stack = Stack("scaling", env, folder / "stack", seeds={"count": 1}, units={"count": 1})
    stack.up()
    yield stack
    stack.remove()


@dataclass(frozen=True)
class Written:
    """An `up` under a writer, none of whose writes was lost."""

    output: str
    interrupted: bool
    """Whether clients could not write for some time."""


@pytest.fixture
def write(stack: Stack, writer_binary: Path, tmp_path: Path) -> Callable[..., Written]:
    """Changes the config and runs `up` under a writer."""

    def run(**groups: object) -> Written:
        stack.set(**groups)
        term = stack.term()
        with Writer(writer_binary, [stack.address()], tmp_path) as writer:
            writer.wait_until_writing()
            output = stack.up().output
            summary = writer.summary()
        report = writer.check(stack.endpoints())
        assert (report.missing, report.problems, summary.stale_reads) == (0, [], [])
        assert not [error for error in summary.errors if "learner" in error]
        terms = report.members[0]["term"] - term
        return Written(output, interrupted(summary.longest_gap_seconds, terms, output))

    return run


def units(count: int) -> list[str]:
    return [f"etcd-{i}" for i in range(count)]


def is_balanced(stack: Stack, count: int) -> None:
    """Exactly the wanted units vote, nothing else is there, and nothing is left to do."""
    assert sorted(stack.pods()) == units(count)
    members = stack.members()
    assert sorted(members) == units(count)
    assert not any(m.get("isLearner") for m in members.values())
    outputs = stack.outputs()
    assert [m["name"] for m in outputs["members"]] == units(count)
    assert outputs["receipt"]["consistent"] is True
    stack.up("--expect-no-changes")


def test_new_units_join_by_an_up_and_no_write_is_lost(
    stack: Stack, write: Callable[..., Written]
) -> None:
    before, first = stack.outputs(), stack.pods()["etcd-0"]["metadata"]["uid"]
    for count in (3, 5):
        written = write(units={"count": count})
        assert f"balanced: {count} units vote" in written.output
        assert "Discovery" not in written.output
        assert not written.interrupted
        is_balanced(stack, count)
    assert stack.pods()["etcd-0"]["metadata"]["uid"] == first
    assert stack.outputs()["clusterId"] == before["clusterId"]


def test_a_preview_shows_every_step_and_changes_nothing(
    stack: Stack, env: Mapping[str, str], tmp_path: Path
) -> None:
    pods = {name: pod["metadata"]["uid"] for name, pod in stack.pods().items()}
    stack.set(units={"count": 3}, etcd={"logLevel": "warn"})
    shown = stack.pulumi("preview")
    assert shown.code == 0, shown
    for line in (
        "1. etcd-4 leaves: 4 voters, quorum 3, tolerance 1",
        "2. etcd-3 leaves: 3 voters, quorum 2, tolerance 1",
        "restarts: 3 voters, 2 of them serve, quorum 2, tolerance 0",
    ):
        assert line in shown.output, shown

    stack.set(units={"minTolerance": 1})
    refused = stack.pulumi("preview")
    assert refused.code != 0
    assert "tolerance 0; etcd:units.minTolerance is 1" in refused.output, refused
    assert "Traceback" not in refused.output
    stack.set(units={"minTolerance": None})

    nowhere = tmp_path / "nowhere"
    text = Path(env["KUBECONFIG"]).read_text()
    nowhere.write_text(re.sub(r"server: \S+", "server: https://127.0.0.1:9", text))
    with stack.running(stack.program, {"KUBECONFIG": str(nowhere)}):
        silent = stack.pulumi("preview")
    assert silent.code == 0, silent
    assert "no steps to show, the Kubernetes API of context etcd-lab does not" in silent.output

    stack.set(units={"count": 5}, etcd={"logLevel": "info"})
    assert {name: pod["metadata"]["uid"] for name, pod in stack.pods().items()} == pods
    is_balanced(stack, 5)


def test_surplus_units_leave_by_an_up_the_highest_first(
    stack: Stack, write: Callable[..., Written]
) -> None:
    lead(stack, "etcd-4")
    written = write(units={"count": 3})
    output = written.output
    assert "leader moved from etcd-4" in output
    assert output.index("unit etcd-4 removed: 4 members") < output.index("unit etcd-3 removed: 3")
    assert not written.interrupted
    is_balanced(stack, 3)
    kept = [f"data-{name}" for name in units(3)]  # storage.retain is false
    until("the end of the volumes", lambda: claims(stack) == kept)


def test_a_namespace_without_room_to_grow_again_is_told_before_anything_is_touched(
    stack: Stack,
) -> None:
    stack.kubectl("create", "quota", "small", "--hard=pods=4")
    stack.kubectl("wait", "--for=jsonpath={.status.used.pods}=3", "quota/small")
    stack.set(units={"count": 5})
    text = stack.refused()
    assert "quota small of namespace scaling allows pods 4, 3 in use; this stack needs 2" in text
    assert sorted(stack.pods()) == units(3)
    stack.kubectl("delete", "quota", "small")
    stack.set(units={"count": 3})
    is_balanced(stack, 3)


def test_a_scale_by_hand_does_no_harm_and_the_next_up_restores_the_count(
    stack: Stack, write: Callable[..., Written]
) -> None:
    for count in (2, 4):
        stack.kubectl("scale", "statefulset", "etcd", f"--replicas={count}")
        until("the members follow", lambda count=count: sorted(stack.members()) == units(count))
        until("the pods follow", lambda count=count: sorted(stack.pods()) == units(count))
        write()
        is_balanced(stack, 3)


def test_a_changed_template_comes_one_pod_at_a_time_and_the_leader_is_last(
    stack: Stack, write: Callable[..., Written]
) -> None:
    before = {name: pod["metadata"]["uid"] for name, pod in stack.pods().items()}
    ids = {name: member["ID"] for name, member in stack.members().items()}
    # As by `kubectl edit`: server-side apply would take the count over, and drop it.
    stack.kubectl("patch", "statefulset", "etcd", "-p", '{"spec": {"replicas": 3}}')
    output = write(units={"memory": "272Mi"}).output
    assert sorted(restarted(output)) == units(3)
    assert restarted(output)[2] == led_before(output)
    pods = stack.pods()
    after = {name: pod["metadata"]["uid"] for name, pod in pods.items()}
    assert not set(before.values()) & set(after.values())
    limits = [pod["spec"]["containers"][0]["resources"]["limits"] for pod in pods.values()]
    assert [limit["memory"] for limit in limits] == ["272Mi"] * 3
    assert {name: member["ID"] for name, member in stack.members().items()} == ids
    is_balanced(stack, 3)


def test_a_rolling_change_waits_while_the_budget_allows_nobody_to_go(
    stack: Stack, tmp_path: Path
) -> None:
    """As while a drain has another unit away; here by hand."""
    before = pods_of(stack)
    allow(stack, 0)
    stack.set(units={"memory": "288Mi"})
    with background_up(stack, tmp_path / "up") as up:
        up.wait_for("waiting: the PodDisruptionBudget allows no disruption now: ", 90)
        assert pods_of(stack) == before
        allow(stack, 1)
        output = up.must_succeed(120).output
    assert sorted(restarted(output)) == units(3)
    is_balanced(stack, 3)


def test_a_scale_down_that_was_cut_off_and_taken_back_leaves_nobody_leaving(stack: Stack) -> None:
    """As an `up` leaves it that is killed when it has told etcd-2 to leave, and nothing more."""
    before = pods_of(stack)
    stack.kubectl("annotate", "statefulset", "etcd", "etcd.pulumi.com/leaving=2")
    leave_note(stack, "scale")
    told = "etcd-2, which was told to leave, stays"
    shown = stack.pulumi("preview")
    assert shown.code == 0, shown
    assert "change of the count, left unfinished by an earlier up" in shown.output
    assert told in shown.output
    # What it finds must not become what is declared, or the note would be taken away unread.
    refresh(stack)
    assert notes(stack) == {"etcd.pulumi.com/unfinished-scale"}

    assert told in stack.up().output
    workload = json.loads(stack.kubectl("get", "statefulset", "etcd", "-o", "json"))
    assert "etcd.pulumi.com/leaving" not in workload["metadata"]["annotations"]
    assert notes(stack) == set()
    assert pods_of(stack) == before
    is_balanced(stack, 3)
    refresh(stack)
    is_balanced(stack, 3)


def test_a_template_that_was_taken_back_goes_from_the_unit_that_has_it(stack: Stack) -> None:
    """As an `up` leaves it that is killed when the first unit runs with the new template."""
    before = pods_of(stack)
    for mark in ("1", None):
        annotations = {"spec": {"template": {"metadata": {"annotations": {"mark": mark}}}}}
        stack.kubectl("patch", "statefulset", "etcd", "-p", json.dumps(annotations))
        if mark:
            until("Kubernetes has seen it", lambda: is_seen(stack))
            stack.kubectl("delete", "pod", "etcd-2")
            until("etcd-2 is back", lambda: is_marked_and_ready(stack, "etcd-2"))
    leave_note(stack, "rollout")
    shown = stack.pulumi("preview")
    assert shown.code == 0, shown
    assert "rolling change, left unfinished by an earlier up" in shown.output
    assert "1. etcd-2 restarts: 3 voters" in shown.output
    assert "etcd-1 restarts" not in shown.output

    output = stack.up().output
    assert restarted(output) == ["etcd-2"]
    assert notes(stack) == set()
    after = pods_of(stack)
    assert {n: uid for n, uid in after.items() if n != "etcd-2"} == {
        n: uid for n, uid in before.items() if n != "etcd-2"
    }
    assert "mark" not in stack.pods()["etcd-2"]["metadata"].get("annotations", {})
    is_balanced(stack, 3)


def test_a_quorum_that_a_template_has_taken_is_brought_back_by_the_next_one(stack: Stack) -> None:
    """etcd refuses to run in pods that run: Kubernetes sees nothing amiss with them."""
    stack.etcdctl("put", "kept", "yes")
    refusing = {"name": "ETCD_HEARTBEAT_INTERVAL", "value": "0"}
    stack.set(etcd={"extraEnv": [refusing]}, handover={"timeoutSeconds": 30})
    text = stack.refused()
    (failed,) = restarted(text)
    assert f"not ready: {failed}" in text
    assert notes(stack) == {"etcd.pulumi.com/unfinished-rollout"}

    # A drain in the night: the next pod gets that template, too.
    second = next(name for name in units(3) if name != failed)
    before = pods_of(stack)[second]
    stack.kubectl("delete", "pod", second, "--wait=false")
    until("another pod in its place", lambda: pods_of(stack).get(second, before) != before)
    until("it to run", lambda: stack.pods()[second]["status"]["phase"] == "Running")

    # More units at once: their sequence is the first, and would wait for those.
    good = {"extraEnv": [{"name": "MARK", "value": "2"}]}
    stack.set(etcd=good, units={"count": 5}, handover={"timeoutSeconds": 120})
    output = stack.up().output
    assert re.search(r"\[scale\].* unit \S+ restarts: no member serves", output)
    assert {failed, second} <= set(restarted(output))
    assert notes(stack) == set()
    is_balanced(stack, 5)
    (kept,) = stack.etcdctl("get", "kept")["kvs"]
    assert base64.b64decode(kept["value"]) == b"yes"


def restarted(output: str) -> list[str]:
    """The units that a rolling change has restarted, in its order; a line may be told again."""
    return list(dict.fromkeys(re.findall(r"unit (\S+) restarts: ", output)))


def led_before(output: str) -> str:
    """The unit that led until a sequence moved leadership, once."""
    (name,) = set(re.findall(r"leader moved from (\S+) to ", output))
    return name


def claims(stack: Stack) -> list[str]:
    """The names of the namespace's claims."""
    return sorted(claim["metadata"]["name"] for claim in stack.objects("pvc"))


def pods_of(stack: Stack) -> dict[str, str]:
    """The pods and their unique IDs."""
    return {name: pod["metadata"]["uid"] for name, pod in stack.pods().items()}


def allow(stack: Stack, away: int) -> None:
    """Let the units' budget bear so many that are away."""
    patch = json.dumps({"spec": {"maxUnavailable": away}})
    stack.kubectl("patch", "poddisruptionbudget", "etcd", "--type=merge", "-p", patch)


def leave_note(stack: Stack, sequence: str) -> None:
    """As a sequence does that has begun."""
    note = f"etcd.pulumi.com/unfinished-{sequence}=true"
    stack.kubectl("annotate", "poddisruptionbudget", "etcd", note)


def notes(stack: Stack) -> set[str]:
    """What stands on the units' budget of sequences that are under way."""
    budget = json.loads(stack.kubectl("get", "poddisruptionbudget", "etcd", "-o", "json"))
    annotations = budget["metadata"].get("annotations") or {}
    return {key for key in annotations if key.startswith("etcd.pulumi.com/")}


def refresh(stack: Stack) -> None:
    done = stack.pulumi("refresh", "--yes", "--skip-preview")
    assert done.code == 0, done


def is_seen(stack: Stack) -> bool:
    """Whether pods that are made now are made from the StatefulSet's template of now."""
    workload = json.loads(stack.kubectl("get", "statefulset", "etcd", "-o", "json"))
    return workload["status"]["observedGeneration"] == workload["metadata"]["generation"]


def is_marked_and_ready(stack: Stack, pod: str) -> bool:
    found = stack.pods().get(pod)
    if found is None or "mark" not in found["metadata"].get("annotations", {}):
        return False
    return is_ready(found)


def is_back(stack: Stack, pod: str, before: str) -> bool:
    """Whether a pod of this name is ready that is not the one with this unique ID."""
    found = stack.pods().get(pod)
    return found is not None and found["metadata"]["uid"] != before and is_ready(found)


def leader_of(stack: Stack) -> str:
    """The pod whose member leads."""
    (endpoint,) = stack.etcdctl("endpoint", "status")
    names = {member["ID"]: name for name, member in stack.members().items()}
    return names[endpoint["Status"]["leader"]]


def lead(stack: Stack, unit: str) -> None:
    """Move leadership to this unit. Only the leader can."""
    leader, target = leader_of(stack), f"{stack.members()[unit]['ID']:x}"
    if leader != unit:
        stack.kubectl("exec", leader, "--", "etcdctl", "move-leader", target)


def test_down_to_one_loses_nothing(stack: Stack, write: Callable[..., Written]) -> None:
    write(units={"count": 1}, storage={"retain": True})
    is_balanced(stack, 1)
    assert claims(stack) == [f"data-{unit}" for unit in units(5)]


def test_a_client_that_deletes_all_keys_makes_it_no_other_cluster_and_it_grows_again(
    stack: Stack, write: Callable[..., Written]
) -> None:
    """The birth mark is one of them; units come back on volumes that know it."""
    mark = stack.birth_mark()
    stack.etcdctl("del", "", "--from-key")
    before = pods_of(stack)["etcd-0"]
    stack.kubectl("delete", "pod", "etcd-0")
    until("the unit to be back", lambda: is_back(stack, "etcd-0", before))
    write(units={"count": 3})  # or the leader's unit, whichever comes first, writes it again
    assert stack.birth_mark() == mark
    is_balanced(stack, 3)
    stack.set(storage={"retain": False})
    stack.up()


def test_the_next_minor_of_etcd_comes_unit_by_unit_and_does_not_go_back(
    stack: Stack, lab: Lab, write: Callable[..., Written]
) -> None:
    version = images.load_etcd(f"unix://{lab.docker_socket}", "3.7")
    before, built = stack.outputs(), image_of(stack)
    ids = {name: member["ID"] for name, member in stack.members().items()}
    stack.set(etcd={"version": version})
    shown = stack.pulumi("preview")
    assert shown.code == 0, shown
    assert "rolling change, if the image differs, from the live membership" in shown.output
    assert image_of(stack) == built

    written = write()
    assert not written.interrupted
    assert sorted(restarted(written.output)) == units(3)
    assert restarted(written.output)[2] == led_before(written.output)
    assert image_of(stack) != built
    assert {name: member["ID"] for name, member in stack.members().items()} == ids
    outputs = stack.outputs()
    assert outputs["clusterId"] == before["clusterId"]
    assert outputs["version"] == version
    assert [member["version"] for member in outputs["members"]] == [version] * 3
    is_balanced(stack, 3)

    stack.set(etcd={"version": tools.ETCD.version})
    for verb in (("preview",), ("up", "--yes", "--skip-preview")):
        text = the_one_error(stack.pulumi(*verb))
        assert f"is {tools.ETCD.version}, and members run {version}: etcd does not go back" in text
    stack.set(etcd={"version": version})
    is_balanced(stack, 3)


def image_of(stack: Stack) -> str:
    """The one image of all pods, by digest."""
    (image,) = {pod["spec"]["containers"][0]["image"] for pod in stack.pods().values()}
    return image
