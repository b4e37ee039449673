"""`pulumi up` from nothing to a balanced cluster on a real Kubernetes, and what comes after."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.state import Lab
from tests.faults.catalogue import SHORT, chosen
from tests.faults.cluster import Cluster, is_ready
from tests.faults.report import table
from tests.faults.scenario import Scenario, Verdict
from tests.faults.suite import run_all
from tests.support.background_up import background_up
from tests.support.connections import Connection, Record, recorded
from tests.support.network_policy import open_ports
from tests.support.output import of_the_program
from tests.support.stack import Result, Stack, until
from tests.support.writer import Report, Summary, Writer, interrupted

FIRST_TERM = 2
"""Raft's, in which the first leader of new members leads: their list is written down in term 1."""


@dataclass(frozen=True)
class Balanced:
    """One stack brought up under a writer; the tests of this file only look at it, but for those
    at the end."""

    stack: Stack
    up: Result
    silence_seconds: float
    """The longest time in which that `up` said nothing."""
    summary: Summary
    report: Report
    birth: Record
    """Of the connections between pods."""


@pytest.fixture(scope="module")
def balanced(
    lab: Lab, env: Mapping[str, str], writer_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Balanced]:
    folder = tmp_path_factory.mktemp("balanced")
    stack = Stack("balanced", env, folder / "stack")
    with (
        recorded(lab, stack, folder / "birth") as birth,
        background_up(stack, folder / "up.log") as up,
    ):
        until("the client Service", lambda: stack.run(*_SERVICE, stack.namespace).code == 0)
        with Writer(writer_binary, [stack.address()], folder, wait_seconds=120) as writer:
            output, silence = up.must_succeed(300), up.silence_seconds()
            summary = writer.summary()
    report = writer.check(stack.endpoints())
    yield Balanced(stack, output, silence, summary, report, birth)
    stack.remove()


_SERVICE = ("kubectl", "get", "service", "etcd", "-n")


def test_only_ready_units_are_left(balanced: Balanced) -> None:
    pods = balanced.stack.pods()
    assert sorted(pods) == ["etcd-0", "etcd-1", "etcd-2"]
    for pod in pods.values():
        assert pod["status"]["containerStatuses"][0]["ready"]
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def test_the_membership_is_exactly_the_units_as_voters(balanced: Balanced) -> None:
    members = balanced.stack.members()
    assert sorted(members) == ["etcd-0", "etcd-1", "etcd-2"]
    assert not any(m.get("isLearner") for m in members.values())


def test_nothing_of_the_bootstrap_is_left(balanced: Balanced) -> None:
    """The token's keys went with the discovery service's claim. Where they are in an etcd that
    somebody runs: tests/e2e/test_discovery_modes.py."""
    names = [o["metadata"]["name"] for o in balanced.stack.objects("secrets,pvc,pods")]
    assert not [n for n in names if "seed" in n or "discovery" in n]


def test_no_acknowledged_write_is_lost_on_the_way(balanced: Balanced) -> None:
    assert balanced.summary.acknowledged > 100
    assert balanced.report.missing == 0
    assert balanced.report.problems == []
    assert balanced.summary.stale_reads == []


def test_no_election_interrupts_the_writes_on_the_way(balanced: Balanced) -> None:
    """Leadership is moved to a unit before the seed that leads is removed."""
    output = balanced.up.output
    assert re.search(r"leader moved from etcd-seed-\d to etcd-\d\n", output)
    since_birth = balanced.report.members[0]["term"] - FIRST_TERM
    gap = balanced.summary.longest_gap_seconds
    assert not interrupted(gap, since_birth, output), balanced.summary


def test_the_outputs_are_a_proof(balanced: Balanced) -> None:
    outputs = balanced.stack.outputs()
    assert outputs["origin"] == "born"
    assert outputs["receipt"]["consistent"] is True
    assert outputs["receipt"]["members"] == ["etcd-0", "etcd-1", "etcd-2"]
    assert outputs["clusterId"] == outputs["receipt"]["clusterId"]
    assert {m["role"] for m in outputs["members"]} == {"leader", "voter"}
    assert balanced.stack.birth_mark()["clusterId"] == outputs["clusterId"]


def test_a_good_run_shows_progress_and_no_warning(balanced: Balanced) -> None:
    output = of_the_program(balanced.up.output)
    assert "Traceback" not in output
    assert not re.search(r"\bwarning\b|\bwarn\b", output, re.IGNORECASE), output
    for line in ("is born: 3 seeds vote", "learner, ", "seed etcd-seed-2 removed: 3 members"):
        assert line in output


def test_no_part_of_it_goes_by_without_a_line(balanced: Balanced) -> None:
    """For 10 s at most, alone on a machine: make bench. Here others take the processors, too."""
    assert balanced.silence_seconds <= 20, balanced.up.output


def test_no_secret_is_shown_or_stored_in_the_clear(balanced: Balanced) -> None:
    stack = balanced.stack
    plain = json.loads(stack.run("pulumi", "stack", "export", "--stack", stack.name).output)
    shown = json.loads(
        stack.run("pulumi", "stack", "export", "--show-secrets", "--stack", stack.name).output
    )
    discovery = next(
        r for r in shown["deployment"]["resources"] if r["type"].endswith("etcd:Discovery")
    )
    token = json.loads(discovery["outputs"]["token"]["plaintext"])
    assert len(token) == 32
    kubeconfig = yaml.safe_load(Path(stack.env["KUBECONFIG"]).read_text())
    key = kubeconfig["users"][0]["user"]["client-key-data"]
    for secret in (token, key):
        assert secret not in json.dumps(plain)
        assert secret not in balanced.up.output


def test_a_second_up_and_a_refresh_change_nothing(balanced: Balanced) -> None:
    stack = balanced.stack
    before = _identity(stack)
    for command in (
        ("up", "--yes", "--skip-preview", "--expect-no-changes"),
        ("refresh", "--yes", "--skip-preview", "--expect-no-changes"),
        ("up", "--yes", "--skip-preview", "--expect-no-changes"),
        ("preview", "--expect-no-changes"),
    ):
        done = stack.pulumi(*command)
        assert done.code == 0, done
        assert "[handover]" not in done.output
    assert _identity(stack) == before


def test_another_address_of_the_same_api_replaces_nothing(
    balanced: Balanced, tmp_path: Path
) -> None:
    """By default the plugin takes it for another cluster, and would recreate every object."""
    stack = balanced.stack
    before = _identity(stack)
    kubeconfig = yaml.safe_load(Path(stack.env["KUBECONFIG"]).read_text())
    service = ("get", "service", "kubernetes", "-n", "default")
    address = stack.kubectl(*service, "-o", "jsonpath={.spec.clusterIP}").strip()
    kubeconfig["clusters"][0]["cluster"]["server"] = f"https://{address}:443"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    with stack.running(stack.program, {"KUBECONFIG": str(tmp_path / "kubeconfig")}):
        shown = stack.pulumi("preview")
        assert shown.code == 0, shown
        assert "replace" not in shown.output
        output = stack.up().output
    assert "replaced" not in output
    assert "+-" not in output
    assert _identity(stack) == before
    stack.up()


def test_the_declared_objects_never_fight_the_sequences(balanced: Balanced) -> None:
    """Under server-side apply by a field manager of another name than Pulumi's plugin has: what the
    program declares is applied, scaled by somebody else, applied again as it is, and applied with a
    new template."""
    stack = balanced.stack
    assert {
        o["metadata"]["name"]: o["spec"]["replicas"] for o in stack.objects("statefulsets")
    } == {
        "etcd": 3,
        "etcd-seed": 0,
        "etcd-discovery": 0,
    }
    exported = json.loads(stack.run("pulumi", "stack", "export", "--stack", stack.name).output)
    declared = [
        {key: value for key, value in resource["inputs"].items() if key != "__defaults"}
        for resource in exported["deployment"]["resources"]
        if resource["type"].startswith("kubernetes:apps")
    ]
    assert len(declared) == 3
    other = f"{stack.namespace}-applied"
    stack.run("kubectl", "create", "namespace", other, check=True)
    for workload in declared:
        workload["metadata"]["namespace"] = other
        name = workload["metadata"]["name"]
        _apply(stack, workload)
        scale = ("kubectl", "-n", other, "scale", "statefulset", name)
        stack.run(*scale, "--replicas=2", check=True)
        _apply(stack, workload)
        workload["spec"]["template"]["metadata"]["labels"]["changed"] = "yes"
        _apply(stack, workload)
        found = stack.run("kubectl", "-n", other, "get", "statefulset", name, "-o", "json")
        assert json.loads(found.output)["spec"]["replicas"] == 2
    stack.run("kubectl", "delete", "namespace", other, "--wait=false", check=True)


def _apply(stack: Stack, workload: dict[str, Any]) -> None:
    path = stack.folder / "object.json"
    path.write_text(json.dumps(workload))
    command = ("kubectl", "apply", "--server-side", "--field-manager=pulumi-kubernetes")
    stack.run(*command, "-f", str(path), check=True)


def test_status_is_healthy_and_says_why_when_it_is_not(
    balanced: Balanced, new_stack: Callable[..., Stack]
) -> None:
    command = (".venv/bin/python", "-m", "components.status", "--stack")
    done = balanced.stack.run(*command, balanced.stack.name)
    assert done.code == 0, done
    assert "healthy" in done.output
    assert "etcd-2" in done.output
    empty = new_stack()
    done = empty.run(*command, empty.name)
    assert done.code == 1
    assert "Next:" in done.output


@pytest.mark.alone
@pytest.mark.parametrize(
    "scenario", chosen(SHORT), ids=lambda scenario: f"{scenario.key} {scenario.title}"
)
def test_the_cluster_stands_it(
    scenario: Scenario, balanced: Balanced, lab: Lab, tmp_path: Path
) -> None:
    """A short selection of the fault suite, a round each. The rest: make faults."""
    outcomes = run_all(Cluster(lab, balanced.stack), [scenario], tmp_path, rounds=1)
    assert outcomes[0].verdict is Verdict.GREEN, table(outcomes)


def test_what_pods_connect_to_is_what_the_policies_let_through(
    balanced: Balanced, lab: Lab, tmp_path: Path
) -> None:
    """The lab's network enforces no NetworkPolicy. So the kernel's own record of the connections
    between pods is held against those that Kubernetes has: from nothing to balanced, two units
    more, one restarted."""
    stack = balanced.stack
    stack.set(units={"count": 5})
    with recorded(lab, stack, tmp_path / "growth") as growth:
        stack.up()
        before = stack.pods()["etcd-0"]["metadata"]["uid"]
        stack.kubectl("delete", "pod", "etcd-0", "--wait=false")
        until("the pod that comes after it", lambda: _serves_again(stack, "etcd-0", before))
    seen = {**balanced.birth.connections(), **growth.connections()}
    for expected in (
        Connection("seed", "discovery", "client"),
        Connection("seed", "seed", "peer"),
        Connection("unit", "discovery", "client"),  # at its end, to delete the token's keys
        Connection("unit", "seed", "client"),
        Connection("unit", "seed", "peer"),
        Connection("unit", "unit", "client"),
        Connection("unit", "unit", "peer"),
        Connection("unit", "unit", "health"),
    ):
        assert expected in seen, f"{expected} among {sorted(map(str, seen))}"
    specs = [policy["spec"] for policy in stack.objects("networkpolicies")]
    for connection, (client, server) in seen.items():
        let = open_ports(specs, server, client["metadata"]["labels"])
        assert connection.port in (let or ()), connection


def _serves_again(stack: Stack, name: str, before: str) -> bool:
    pod = stack.pods().get(name)
    return pod is not None and pod["metadata"]["uid"] != before and is_ready(pod)


def test_destroy_leaves_nothing(balanced: Balanced) -> None:
    """The last one: there is no cluster after it."""
    stack = balanced.stack
    stack.destroy()
    assert "NotFound" in stack.kubectl("get", "namespace", stack.namespace, check=False)
    ours = f'"namespace": "{stack.namespace}"'
    volumes = ("kubectl", "get", "pv", "-o", "json")  # Kubernetes lets go of them in its own time
    until("their end", lambda: ours not in stack.run(*volumes, check=True).output)


def _identity(stack: Stack) -> dict[str, Any]:
    pods = {n: (p["metadata"]["uid"], p["status"]["podIP"]) for n, p in stack.pods().items()}
    return {"pods": pods, "members": stack.members()}
