"""The production stack on the lab: Google is lab/plugins/gcp, Kubernetes and etcd are real."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import gke, pulumi_cli
from lab.plugins.gcp.cloud import Cloud
from lab.state import Lab
from tests.support.stack import CHECKOUT, Stack, environment

PROJECT = "my-project"

SMALL: Mapping[str, dict[str, Any]] = {
    "seeds": {"count": 3, "cpu": "50m", "memory": "128Mi"},
    "units": {"count": 3, "cpu": "50m", "memory": "256Mi"},
    "storage": {"size": "1Gi"},
    "handover": {"timeoutSeconds": 120},
}
"""What the lab has room for; Pulumi.prod.yaml asks for real machines."""


def production() -> dict[str, dict[str, Any]]:
    """The config groups of Pulumi.prod.yaml."""
    content = yaml.safe_load((CHECKOUT / "Pulumi.prod.yaml").read_text())
    return {
        key.removeprefix("etcd:"): value
        for key, value in content["config"].items()
        if key.startswith("etcd:")
    }


class Google:
    """The stand-in's cloud, and a shell in which a stack with gke.create meets it."""

    def __init__(self, lab: Lab) -> None:
        folder = gke.folder(lab)
        if pulumi_cli.has_official_plugins():
            pytest.skip("the official gcp plugin is here, which needs an account at Google")
        self.cloud = Cloud(folder / "cloud")
        self.env = environment(folder / "env")

    def resources(self) -> dict[str, str]:
        """What there is: the last part of the type, by ID."""
        return {id_: r["type"].rpartition(":")[2] for id_, r in self.cloud.resources().items()}

    def has(self, kind: str) -> bool:
        return kind in self.resources().values()

    def one(self, kind: str) -> str:
        """The ID of the one resource of that type."""
        (id_,) = (id_ for id_, found in self.resources().items() if found == kind)
        return id_

    def clear(self) -> None:
        """What a failed test has left, on Google and on the node that it has let out."""
        with self.cloud.changing() as there:
            there.clear()
        (self.cloud.folder / "faults.json").unlink(missing_ok=True)
        node = ("kubectl", "get", "node", "-o", "jsonpath={.items[0].spec.taints[*].key}")
        keys = subprocess.run(node, env=self.env, capture_output=True, text=True, check=True)
        for key in keys.stdout.split():
            untaint = ("kubectl", "taint", "node", "--all", f"{key}-")
            subprocess.run(untaint, env=self.env, capture_output=True, check=True)


def stack_on(google: Google, name: str, folder: Path, **groups: Mapping[str, Any]) -> Stack:
    """The production stack, in the lab's size, under another name, and with other groups."""
    config: Any = production()
    for layer in (SMALL, groups):
        for group, values in layer.items():
            config[group] = {**config.get(group, {}), **values}
    config["gke"] = {**config["gke"], "project": PROJECT}
    config["kubernetes"] = {**config.get("kubernetes", {}), "context": None, "namespace": name}
    config["image"] = {**config.get("image", {}), "registry": None}
    return Stack(name, google.env, folder, **config)
