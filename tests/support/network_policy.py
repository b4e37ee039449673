"""NetworkPolicies as Kubernetes reads them: what of a pod's ports is open to which pod. Pure.

Only what the program declares: policies for ingress, pods of one namespace chosen by labels, ports
by their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Labels = Mapping[str, str]


def open_ports(
    specs: Iterable[Mapping[str, Any]], pod: Mapping[str, Any], source: Labels
) -> set[str] | None:
    """The ports of `pod` that `source` reaches, by the names that the pod gives them; None if no
    policy selects the pod: all of them."""
    selecting = [s for s in specs if _selects(s["podSelector"], pod["metadata"]["labels"])]
    if not selecting:
        return None
    assert all(spec["policyTypes"] == ["Ingress"] for spec in selecting)
    rules = [rule for spec in selecting for rule in spec["ingress"]]
    named = {
        port["containerPort"]: port["name"]
        for container in pod["spec"]["containers"]
        for port in container["ports"]
    }
    return {
        named[port["port"]] for rule in rules if _admits(rule, source) for port in rule["ports"]
    }


def _admits(rule: Mapping[str, Any], source: Labels) -> bool:
    peers = rule.get("from")
    return peers is None or any(_selects(peer["podSelector"], source) for peer in peers)


def _selects(selector: Mapping[str, Any], labels: Labels) -> bool:
    return selector["matchLabels"].items() <= labels.items()
