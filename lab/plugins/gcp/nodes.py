"""The machines of a node pool: the lab's one node, with the pool's labels and taints."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.plugins.gcp.resource import Inputs

_EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
    "NO_EXECUTE": "NoExecute",
}


def labels(inputs: Inputs, location: str) -> dict[str, str]:
    """Return the labels that GKE gives to the pool's nodes, the pool's own among them."""
    zone = location if location.count("-") > 1 else f"{location}-a"
    config: Mapping[str, Any] = inputs.get("nodeConfig") or {}
    return {
        **(config.get("labels") or {}),
        "cloud.google.com/gke-nodepool": str(inputs["name"]),
        "topology.kubernetes.io/region": zone.rpartition("-")[0],
        "topology.kubernetes.io/zone": zone,
    }


def taints(inputs: Inputs) -> list[str]:
    """Return the pool's taints as kubectl takes them."""
    config: Mapping[str, Any] = inputs.get("nodeConfig") or {}
    return [f"{t['key']}={t['value']}:{_EFFECTS[t['effect']]}" for t in config.get("taints") or []]


class Node:
    """The lab's node, through kubectl."""

    def __init__(self, kubectl: Path, kubeconfig: Path) -> None:
        self._command = (str(kubectl), "--kubeconfig", str(kubeconfig))

    def join(self, inputs: Inputs, location: str) -> None:
        self._run(
            "label", "--overwrite", *(f"{k}={v}" for k, v in labels(inputs, location).items())
        )
        if wanted := taints(inputs):
            self._run("taint", "--overwrite", *wanted)

    def leave(self, inputs: Inputs, location: str) -> None:
        self._run("label", *(f"{key}-" for key in labels(inputs, location)))
        for taint in taints(inputs):
            # One by one: kubectl refuses all of them if one is not there.
            self._run("taint", f"{taint.partition('=')[0]}-", check=False)

    def _run(self, verb: str, *changes: str, check: bool = True) -> None:
        command = (*self._command, verb, "node", "--all", *changes)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"kubectl {verb} node: {done.stderr.strip()}")
