"""Who may connect to whom, by the declared NetworkPolicies as Kubernetes reads them.

The lab's network enforces no NetworkPolicy, so that this is judged by their text alone; that the
members' own connections are among what is let through: tests/e2e/test_balanced.py.
"""

from __future__ import annotations

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


def labels(program: Program, name: str) -> dict[str, str]:
    return program.one("StatefulSet", name).spec["template"]["metadata"]["labels"]


def reached(program: Program, name: str, source: dict[str, str]) -> set[str] | None:
    """The ports of a workload's pods that a pod of the namespace with these labels reaches."""
    specs = [policy.spec for policy in program.all("NetworkPolicy")]
    return open_ports(specs, labels(program, name), source)


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


def test_rules_name_ports_that_the_containers_have(declare: Declare) -> None:
    program = declare(etcd={"clientPort": 12379, "peerPort": 12380})
    for workload in program.all("StatefulSet"):
        assert tuple(port["name"] for port in workload.container["ports"]) == PORTS
    for policy in program.all("NetworkPolicy"):
        ports = [port["port"] for rule in policy.spec["ingress"] for port in rule["ports"]]
        assert set(ports) <= set(PORTS)
