"""Who may connect to whom, by the declared NetworkPolicies as Kubernetes reads them.

The lab's network enforces no NetworkPolicy, so that this is judged by their text alone: a pod that
a policy selects is reached by what its rules name, and by its own node.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.program.conftest import Declare
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


def reached(program: Program, name: str, source: dict[str, str]) -> set[str]:
    """The ports of a workload's pods that a pod of the namespace with these labels reaches."""
    own = labels(program, name).items()
    policies = [p.spec for p in program.all("NetworkPolicy")]
    selecting = [p for p in policies if p["podSelector"]["matchLabels"].items() <= own]
    assert selecting, "a pod that no policy selects is open"
    assert all(p["policyTypes"] == ["Ingress"] for p in selecting)
    rules = [rule for policy in selecting for rule in policy["ingress"]]
    return {port["port"] for rule in rules if admits(rule, source) for port in rule["ports"]}


def admits(rule: dict[str, Any], source: dict[str, str]) -> bool:
    peers = [peer["podSelector"]["matchLabels"] for peer in rule.get("from", [])]
    return "from" not in rule or any(peer.items() <= source.items() for peer in peers)


@pytest.mark.parametrize("member", ["etcd", "etcd-seed"])
def test_only_members_reach_the_peer_port_of_a_member(member: str, declare: Declare) -> None:
    program = declare()
    for source in ("etcd", "etcd-seed"):
        assert "peer" in reached(program, member, labels(program, source))
    for source in (STRANGER, OTHER_CLUSTER, labels(program, "etcd-discovery")):
        assert reached(program, member, source) == {"client", "metrics"}


def test_only_seeds_reach_the_discovery_service(declare: Declare) -> None:
    program = declare()
    assert reached(program, "etcd-discovery", labels(program, "etcd-seed")) == {"client"}
    for source in (STRANGER, OTHER_CLUSTER, labels(program, "etcd")):
        assert reached(program, "etcd-discovery", source) == set()


def test_rules_name_ports_that_the_containers_have(declare: Declare) -> None:
    program = declare(etcd={"clientPort": 12379, "peerPort": 12380})
    for workload in program.all("StatefulSet"):
        assert tuple(port["name"] for port in workload.container["ports"]) == PORTS
    for policy in program.all("NetworkPolicy"):
        ports = [port["port"] for rule in policy.spec["ingress"] for port in rule["ports"]]
        assert set(ports) <= set(PORTS)
