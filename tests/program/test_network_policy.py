"""Who may connect to whom, by the declared NetworkPolicies as Kubernetes reads them.

The lab's network enforces no NetworkPolicy, so that this is judged by their text alone; that the
members' own connections are among what is let through: tests/e2e/test_balanced.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.program.conftest import Declare
from tests.support.network_policy import open_ports
from tests.support.program import Program

PORTS = ("client", "peer", "metrics", "health")
STRANGER = {"app": "web"}
OTHER_CLUSTER = {
    "app.kubernetes.io/name": "etcd",
    "app.kubernetes.io/instance": "another",
    "etcd.pulumi.com/member": "true",
    "role": "unit",
}


def template(program: Program, name: str) -> dict[str, Any]:
    return program.one("StatefulSet", name).spec["template"]


def labels(program: Program, name: str) -> dict[str, str]:
    return template(program, name)["metadata"]["labels"]


def reached(program: Program, name: str, source: dict[str, str]) -> set[str] | None:
    """The ports of a workload's pods that a pod of the namespace with these labels reaches."""
    specs = [policy.spec for policy in program.all("NetworkPolicy")]
    return open_ports(specs, template(program, name), source)


@pytest.mark.parametrize("member", ["etcd", "etcd-seed"])
def test_only_members_reach_the_peer_and_health_port_of_a_member(
    member: str, declare: Declare
) -> None:
    program = declare()
    for source in ("etcd", "etcd-seed"):
        assert reached(program, member, labels(program, source)) == set(PORTS)
    for source in (STRANGER, OTHER_CLUSTER, labels(program, "etcd-discovery")):
        assert reached(program, member, source) == {"client", "metrics"}


def test_only_members_reach_the_discovery_service(declare: Declare) -> None:
    program = declare()
    for source in ("etcd", "etcd-seed"):
        assert reached(program, "etcd-discovery", labels(program, source)) == {"client"}
    for source in (STRANGER, OTHER_CLUSTER):
        assert reached(program, "etcd-discovery", source) == set()


def test_rules_have_the_numbers_that_the_containers_have(declare: Declare) -> None:
    """Not their names: Amazon's controller had no port for a name in a rule without `from`."""
    numbers = {"clientPort": 12379, "peerPort": 12380, "metricsPort": 12381, "healthPort": 12382}
    program = declare(etcd=numbers)
    for workload in program.all("StatefulSet"):
        ports = {port["name"]: port["containerPort"] for port in workload.container["ports"]}
        assert ports == {name: numbers[f"{name}Port"] for name in PORTS}
    rules = [rule for policy in program.all("NetworkPolicy") for rule in policy.spec["ingress"]]
    assert {port["port"] for rule in rules for port in rule["ports"]} == set(numbers.values())
    for member in ("etcd", "etcd-seed"):
        assert reached(program, member, STRANGER) == {"client", "metrics"}
