"""Whether a namespace's quotas and limits leave room for a stack, told before anything is touched.

The Kubernetes API is a fake of the few answers that each case is about: see test_preflight.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from components.dynamic.preflight import PreflightProvider
from tests.support.dynamic import inputs, preflight
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin

FIXED = {
    "storage.kind": "persistent",
    "storage.size": "20Gi",
    "kubernetes.clusterDomain": "cluster.local",
    "etcd.peerPort": "2380",
}
"""Settings that a cluster on volumes was made with."""

DEFAULT = {"type": "Container", "default": {"cpu": "1"}}
"""Of a LimitRange: the CPU limit that each member is given."""
KEPT = {"namespace": True, "left": 3, "kept": "c1"}
"""A namespace with the volumes of a cluster, and no pod: as a destroy leaves it."""


@pytest.mark.parametrize(
    ("kubernetes", "changed", "expected"),
    [
        pytest.param(
            {"namespace": True, "quota": {"persistentvolumeclaims": ("5", "0")}},
            {},
            "allows persistentvolumeclaims 5, 0 in use; this stack needs 6 more",
            id="too few volumes allowed",
        ),
        pytest.param(
            {"namespace": True, "quota": {"requests.storage": ("100Gi", "0")}},
            {},
            "allows requests.storage 100Gi",
            id="too little storage allowed",
        ),
        pytest.param(
            {"namespace": True, "quota": {"limits.memory": ("1Gi", "0")}},
            {},
            "allows limits.memory 1Gi",
            id="too little memory allowed",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"pods": ("4", "3")}},
            {"unit_pods": 5},
            "allows pods 4, 3 in use; this stack needs 2 more",
            id="the namespace has no room to grow",
        ),
        pytest.param(
            {**KEPT, "quota": {"pods": ("2", "0")}},
            {"fixed": FIXED},
            "allows pods 2, 0 in use; this stack needs 3 more",
            id="no room for the units of a kept cluster",
        ),
        pytest.param(
            {**KEPT, "quota": {"persistentvolumeclaims": ("4", "3")}},
            {"fixed": FIXED, "unit_pods": 5, "unit_volumes": 5, "volumes": 8},
            "allows persistentvolumeclaims 4, 3 in use; this stack needs 2 more",
            id="no room for a kept cluster to grow",
        ),
        pytest.param(
            {**KEPT, "ending": True, "quota": {"pods": ("6", "0")}},
            {"fixed": FIXED},
            "allows pods 6, 0 in use; this stack needs 7 more",
            id="the volumes of a cluster are going: another is to be born",
        ),
        pytest.param(
            {"namespace": True, "left": 3, "quota": {"requests.storage": ("119Gi", "60Gi")}},
            {"fixed": FIXED},
            "allows requests.storage 119Gi, 60Gi in use; this stack needs 61440Mi more",
            id="no storage for seeds beside volumes that an up has left",
        ),
        pytest.param(
            {"namespace": True, "left": 5, "quota": {"persistentvolumeclaims": ("7", "5")}},
            {"fixed": FIXED},
            "allows persistentvolumeclaims 7, 5 in use; this stack needs 3 more",
            id="more volumes are left than units are wanted, and none of them is a seed's",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"requests.cpu": ("1900m", "1500m")}},
            {"unit_cpu": "2.5"},
            "allows requests.cpu 1900m, 1500m in use; this stack needs 1 more",
            id="no processors to grow",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"requests.storage": ("80Gi", "60Gi")}},
            {"unit_volumes": 5},
            "allows requests.storage 80Gi, 60Gi in use; this stack needs 40960Mi more",
            id="no storage to grow",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"memory": ("4Gi", "3Gi")}},
            {"unit_memory": str(6 * 1024**3)},
            "allows memory 4Gi",
            id="no memory for the same units",
        ),
        pytest.param(
            {"namespace": True, "quota": {"count/services": ("5", "3")}},
            {},
            "allows count/services 5, 3 in use; this stack needs 3 more",
            id="too few Services allowed",
        ),
        pytest.param(
            {
                "namespace": True,
                "quota": {"fast.storageclass.storage.k8s.io/requests.storage": ("100Gi", "0")},
                "classes": {"fast": False},
            },
            {"storage_class": "fast"},
            "allows fast.storageclass.storage.k8s.io/requests.storage 100Gi",
            id="too little of that storage class allowed",
        ),
        pytest.param(
            {"namespace": True, "quota": {"limits.cpu": ("100", "0")}},
            {},
            "counts limits.cpu, so that a pod without a CPU limit is refused",
            id="a quota for what members do not have",
        ),
        pytest.param(
            {"namespace": True, "quota": {"limits.cpu": ("4", "0")}, "limits": [DEFAULT]},
            {},
            "allows limits.cpu 4, 0 in use; this stack needs 7 more (1 for each pod, the default "
            "limit)",
            id="too little for the limits that members are given",
        ),
        pytest.param(
            {
                "namespace": True,
                "units": 3,
                "cpu_limit": "1",
                "quota": {"limits.cpu": ("4", "3")},
                "limits": [DEFAULT],
            },
            {"unit_pods": 5},
            "allows limits.cpu 4, 3 in use; this stack needs 2 more (1 for each pod",
            id="no room for the limits of further units",
        ),
        pytest.param(
            {
                "namespace": True,
                "units": 3,
                "quota": {"limits.cpu": ("2", "0")},
                "limits": [DEFAULT],
            },
            {},
            "allows limits.cpu 2, 0 in use; this stack needs 3 more (1 for each pod",
            id="units that have no limit yet are given one when they restart",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [DEFAULT, {"type": "Pod", "maxLimitRequestRatio": {"cpu": "4"}}],
            },
            {},
            "allows a CPU limit of at most 4 times the request for each Pod; etcd:seeds.cpu is "
            "0.1, and members are given 1 (the default limit). Set at least: pulumi config set "
            "--path etcd:seeds.cpu 250m",
            id="the limit that seeds are given is too far above their request",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [{"type": "Container", "maxLimitRequestRatio": {"cpu": "4"}}],
            },
            {},
            "wants a CPU limit of each Container, at most 4 times its request; members have none, "
            "since a limit slows them down, and are given none. Take that maxLimitRequestRatio out",
            id="a limit is wanted for its ratio, and the namespace gives none",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [{"type": "Container", "max": {"memory": "512Mi"}}],
            },
            {},
            "allows memory from 0 to 512Mi for each Container; etcd:units.memory is 1024Mi",
            id="units are too large for the namespace",
        ),
        pytest.param(
            {"namespace": True, "limits": [{"type": "Container", "min": {"cpu": "200m"}}]},
            {},
            "allows cpu from 200m to any for each Container; etcd:seeds.cpu is 0.1",
            id="seeds are too small for the namespace",
        ),
        pytest.param(
            {"namespace": True, "limits": [{"type": "Pod", "max": {"memory": "1Mi"}}]},
            {},
            "allows memory from 0 to 1Mi for each Pod; etcd:units.memory is 1024Mi",
            id="units are too large for a pod of the namespace",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [{"type": "Container", "default": {"cpu": "200m"}, "max": {"cpu": "4"}}],
            },
            {},
            "allows cpu from 0 to 200m (the default limit) for each Container; "
            "etcd:units.cpu is 0.5",
            id="the limit that members are given is below what units request",
        ),
        pytest.param(
            {"namespace": True, "limits": [{"type": "Pod", "max": {"cpu": "2"}}]},
            {},
            "wants a CPU limit of each Pod, at most 2; members have none, since a limit slows them "
            "down, and are given none",
            id="a limit is wanted, and the namespace gives none",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [
                    {"type": "Pod", "max": {"cpu": "1"}},
                    {"type": "Container", "default": {"cpu": "2"}},
                ],
            },
            {},
            "wants a CPU limit of each Pod, at most 1; members have none, since a limit slows them "
            "down, and are given 2",
            id="a limit is wanted, and the namespace gives a larger one",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "10Gi"}}],
            },
            {},
            "allows storage from 0 to 10Gi for each PersistentVolumeClaim; etcd:storage.size",
            id="volumes are too large for the namespace",
        ),
    ],
)
def test_a_want_of_room_is_told_before_anything_is_touched(
    kubernetes: dict[str, Any], changed: dict[str, Any], expected: str, dynamic: Plugin
) -> None:
    with Kubernetes.running(**kubernetes) as api:
        assert expected in preflight(dynamic, api, **changed)
        assert not api.touched


@pytest.mark.parametrize(
    ("kubernetes", "changed"),
    [
        pytest.param(
            {"namespace": True, "quota": {"pods": ("7", "0"), "cpu": ("1900m", "0")}},
            {},
            id="just enough",
        ),
        pytest.param(
            {**KEPT, "quota": {"requests.cpu": ("3300m", "0")}},
            {"fixed": FIXED, "unit_cpu": str(3 * 1.1), "cpu": str(3 * 1.1 + 4 * 0.1)},
            id="just enough of fractions that a float does not have",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [
                    {"type": "Container", "min": {"cpu": "300m"}},
                    {**DEFAULT, "default": {"cpu": "600m"}, "maxLimitRequestRatio": {"cpu": "2"}},
                ],
            },
            {"unit_cpu": str(3 * 0.3), "cpu": str(3 * 0.3 + 4 * 0.3)},
            id="just within limits of fractions that a float does not have",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"pods": ("5", "3"), "cpu": ("2", "1500m")}},
            {"unit_pods": 5, "unit_cpu": "2.0"},
            id="just enough to grow",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"pods": ("2", "3"), "memory": ("1", "2")}},
            {"unit_pods": 1, "unit_cpu": "0.5", "unit_memory": "1", "unit_volumes": 1},
            id="a full namespace, and nothing more is wanted",
        ),
        pytest.param(
            {
                "namespace": True,
                "quota": {"limits.cpu": ("100", "0")},
                "limits": [{"type": "Container", "default": {"cpu": "2"}}],
            },
            {},
            id="a quota for what the namespace gives to those who have none",
        ),
        pytest.param(
            {"namespace": True, "quota": {"limits.cpu": ("7", "0")}, "limits": [DEFAULT]},
            {},
            id="just enough for the limits that members are given",
        ),
        pytest.param(
            {
                "namespace": True,
                "units": 3,
                "cpu_limit": "1",
                "quota": {"limits.cpu": ("5", "3")},
                "limits": [DEFAULT],
            },
            {"unit_pods": 5},
            id="just enough for the limits of further units",
        ),
        pytest.param(
            {
                "namespace": True,
                "quota": {"limits.cpu": ("7", "0")},
                "limits": [DEFAULT, {"type": "Container", "default": {"cpu": "2"}}],
            },
            {},
            id="of two default limits nobody knows which is given",
        ),
        pytest.param(
            {**KEPT, "quota": {"limits.cpu": ("3", "0")}, "limits": [DEFAULT]},
            {"fixed": FIXED},
            id="just enough for the limits of a kept cluster",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [{**DEFAULT, "maxLimitRequestRatio": {"cpu": "10", "memory": "1"}}],
            },
            {},
            id="limits that are just not too far above the requests",
        ),
        pytest.param(
            {**KEPT, "limits": [{**DEFAULT, "maxLimitRequestRatio": {"cpu": "2"}}]},
            {"fixed": FIXED},
            id="a limit too far above a seed's request, and a kept cluster needs none",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [
                    {"type": "Container", "min": {"cpu": "100m"}, "max": {"memory": "1Gi"}},
                    {"type": "Pod", "min": {"cpu": "100m"}, "max": {"memory": "1Gi"}},
                ],
            },
            {},
            id="just within the limits of a container and of a pod",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [
                    {"type": "Container", "max": {"cpu": "500m"}},
                    {"type": "Pod", "max": {"cpu": "500m"}},
                ],
            },
            {},
            id="a limit is wanted, and the largest is given where no default is named",
        ),
        pytest.param(
            {
                **KEPT,
                "quota": {
                    "persistentvolumeclaims": ("3", "3"),
                    "requests.storage": ("60Gi", "60Gi"),
                    "pods": ("3", "0"),
                    "requests.cpu": ("1500m", "0"),
                    "limits.memory": ("3Gi", "0"),
                    "secrets": ("1", "1"),
                },
            },
            {"fixed": FIXED},
            id="just enough for a cluster that was kept: no seed runs for it, nor discovery",
        ),
        pytest.param(
            {**KEPT, "limits": [{"type": "Container", "min": {"cpu": "200m"}}]},
            {"fixed": FIXED},
            id="seeds are too small for the namespace, and a kept cluster needs none",
        ),
        pytest.param(
            {
                "namespace": True,
                "left": 3,
                "quota": {
                    "persistentvolumeclaims": ("6", "3"),
                    "requests.storage": ("120Gi", "60Gi"),
                    "pods": ("7", "0"),
                },
            },
            {"fixed": FIXED},
            id="just enough beside volumes that are left of an up that came to no cluster",
        ),
        pytest.param(
            {
                "namespace": True,
                "units": 3,
                "limits": [{"type": "Container", "min": {"cpu": "200m"}}],
            },
            {"fixed": FIXED},
            id="seeds are too small for the namespace, and units run",
        ),
    ],
)
def test_enough_room_is_enough(
    kubernetes: dict[str, Any], changed: dict[str, Any], dynamic: Plugin
) -> None:
    with Kubernetes.running(**kubernetes) as api:
        dynamic.create(PreflightProvider(), inputs(PreflightProvider, api.url, **changed))


def test_units_that_are_away_are_counted_without_seeds(dynamic: Plugin) -> None:
    """A cluster that is there, of which no pod is, as where somebody has set the count to 0."""
    with Kubernetes.running(**KEPT, quota={"pods": ("5", "0")}) as api:
        olds = inputs(PreflightProvider, api.url)
        news = {**olds, "unit_pods": 5, "pods": 9}
        assert dynamic.update(PreflightProvider(), olds, news) == news
