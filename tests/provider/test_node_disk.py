"""Whether a namespace's limits leave members as much of their nodes' disks as etcd may take there.

The Kubernetes API is a fake of the few answers that each case is about: see test_preflight.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from components.dynamic.preflight import PreflightProvider
from tests.support.dynamic import inputs, preflight
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin

FIXED = {"storage.kind": "persistent", "storage.size": "20Gi"}
"""Settings that a cluster on volumes was made with."""

ON_NODES = {
    "fixed": {**FIXED, "storage.kind": "ephemeral"},
    **dict.fromkeys(("volumes", "unit_volumes"), 0),
}
"""A stack whose members' data is on their nodes' disks."""


def disk(kind: str, **edges: str) -> dict[str, Any]:
    """Of a LimitRange: what it says of a node's disk, by `default` or `max`."""
    return {"type": kind, **{edge: {"ephemeral-storage": size} for edge, size in edges.items()}}


@pytest.mark.parametrize(
    ("kubernetes", "changed", "expected"),
    [
        pytest.param(
            {"namespace": True, "limits": [disk("Container", default="1Gi")]},
            ON_NODES,
            "LimitRange bounds lets each Container have at most 1Gi of its node's disk "
            "(ephemeral-storage); etcd:storage.kind is ephemeral, whose members need up to 5064Mi "
            "there, and would be evicted with their data. Raise it to that, or: pulumi config set "
            "--path etcd:storage.kind persistent",
            id="members would be given less of a node's disk than etcd takes",
        ),
        pytest.param(
            {"namespace": True, "limits": [disk("Container", max="5063Mi")]},
            ON_NODES,
            "lets each Container have at most 5063Mi",
            id="the largest is given where no default is named",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [disk("Pod", max="1Gi"), disk("Container", default="1Gi", max="9Gi")],
            },
            ON_NODES,
            "lets each Pod have at most 1Gi",
            id="no pod has more either",
        ),
        pytest.param(
            {
                "namespace": True,
                "left": 3,
                "units": 3,
                "limits": [disk("Container", default="1Gi")],
            },
            {**ON_NODES, "unit_pods": 5},
            "with their data. Raise it to that\n",
            id="what cannot be changed any more is no way out",
        ),
    ],
)
def test_less_of_it_than_etcd_takes_is_told_before_anything_is_touched(
    kubernetes: dict[str, Any], changed: dict[str, Any], expected: str, dynamic: Plugin
) -> None:
    with Kubernetes.running(**kubernetes) as api:
        assert expected in preflight(dynamic, api, **changed)
        assert not api.touched


@pytest.mark.parametrize(
    ("kubernetes", "changed"),
    [
        pytest.param(
            {
                "namespace": True,
                "limits": [disk("Pod", max="9Gi"), disk("Container", default="5064Mi", max="6Gi")],
            },
            ON_NODES,
            id="just enough of a node's disk",
        ),
        pytest.param(
            {"namespace": True, "limits": [disk("Container", default="1Gi")]},
            {"fixed": FIXED},
            id="little of a node's disk, and the data is on volumes",
        ),
        pytest.param(
            {"namespace": True, "quota": {"limits.ephemeral-storage": ("1Gi", "0")}},
            ON_NODES,
            id="a quota of the nodes' disks refuses nobody who has no limit",
        ),
    ],
)
def test_what_takes_none_of_it_away_is_no_obstacle(
    kubernetes: dict[str, Any], changed: dict[str, Any], dynamic: Plugin
) -> None:
    with Kubernetes.running(**kubernetes) as api:
        dynamic.create(PreflightProvider(), inputs(PreflightProvider, api.url, **changed))
