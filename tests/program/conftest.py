"""The program with a config of the test's own, on a kubeconfig that leads nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import CONTEXT, TOKEN, Program, run

Declare = Callable[..., Program]

SERVER = "https://10.0.0.1:6443"

KMS_KEY = "projects/keys/locations/us-central1/keyRings/ring/cryptoKeys/etcd"


def make_cluster(*, preview: bool = False, stack: str = "dev", **groups: Any) -> Program:
    """Runs the program on a GKE cluster that it makes itself."""
    gke = {"create": True, "project": "my-project", **groups.get("gke", {})}
    return run({**groups, "gke": gke}, preview=preview, stack=stack)


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Runs the program: `declare(units={"count": 5}, preview=True)`."""
    path = tmp_path / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "contexts": [
                    {"name": name, "context": {"cluster": name, "user": name}}
                    for name in (CONTEXT, "other")
                ],
                "clusters": [
                    {"name": CONTEXT, "cluster": {"server": SERVER}},
                    {"name": "other", "cluster": {"server": "https://10.0.0.2:6443"}},
                ],
                "users": [
                    {"name": CONTEXT, "user": {"token": TOKEN}},
                    {"name": "other", "user": {"token": "of-another-cluster"}},
                ],
            }
        )
    )

    def with_config(*, preview: bool = False, stack: str = "dev", **groups: Any) -> Program:
        config = {
            **groups,
            "kubernetes": {
                "kubeconfig": str(path),
                "context": CONTEXT,
                **groups.get("kubernetes", {}),
            },
            "image": {"registry": "localhost:5000", **groups.get("image", {})},
        }
        return run(config, preview=preview, stack=stack)

    return with_config
