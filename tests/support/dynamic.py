"""Inputs and outputs of the dynamic resources, as the engine would hand them over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.dynamic.address import AddressProvider
from components.dynamic.discovery import DiscoveryProvider
from components.dynamic.handover import HandoverProvider
from components.dynamic.namespace import NamespaceProvider
from components.dynamic.preflight import PreflightProvider
from components.dynamic.protection import ProtectionProvider
from components.dynamic.provider import DynamicProvider
from components.dynamic.requirements import RequirementsProvider
from components.dynamic.rollout import RolloutProvider
from components.dynamic.scale import ScaleProvider
from components.dynamic.start import StartProvider
from tests.support.kubernetes_api import SECRET, Kubernetes, kubeconfig
from tests.support.plugin import Plugin, RefusedError

SITE = {
    "context": "here",
    "namespace": "etcd",
    "stack": "dev",
    "units": "etcd",
    "seeds": "etcd-seed",
    "discovery": "etcd-discovery",
    "service": "etcd",
    "peer_service": "etcd-peer",
    "serving_label": "etcd.pulumi.com/serving",
    "local_url": "http://127.0.0.1:2379",
    "discovery_url": "http://etcd-discovery.etcd.svc.cluster.local:2379",
}

SEQUENCE = {"units": 3, "cluster_id": "c1", "birth": "the-mark", "timeout_seconds": 600}
CHANGE = {**SEQUENCE, "min_tolerance": 0}
PROOF = {
    "members": [{"name": "etcd-0", "role": "leader"}],
    "revision": 41,
    "receipt": {"consistent": True, "members": ["etcd-0"]},
    "at": 1.5,
}

CLUSTER = "projects/my-project/locations/us-central1/clusters/etcd-prod"

OWN: dict[type[DynamicProvider], dict[str, Any]] = {
    PreflightProvider: {
        "fixed": {"etcd.name": "etcd", "storage.size": "20Gi"},
        "version": "3.6.14",
        "pods": 7,
        "cpu": "1.9",
        "memory": "4831838208",
        "unit_pods": 3,
        "unit_cpu": "1.5",
        "unit_memory": "3221225472",
        "unit_volumes": 3,
        "priority_class": "",
        "arch": "amd64",
        "pull_secrets": [],
        "storage_class": "",
        "own_storage_class": False,
        "storage": "20Gi",
        "quota": {},
        "volumes": 6,
        "seeds": 3,
        "discovery_mode": "inCluster",
        "discovery_url": "",
    },
    NamespaceProvider: {"retain": True},
    StartProvider: {"units": 3},
    DiscoveryProvider: {
        "size": 3,
        "units": 3,
        "mode": "inCluster",
        "url": "",
        "timeout_seconds": 600,
    },
    HandoverProvider: SEQUENCE,
    ScaleProvider: {**CHANGE, "version": "3.6.14", "retain": True, "found": 3, "unfinished": []},
    RolloutProvider: {**CHANGE, "template": "a1b2", "quota": {}, "unfinished": []},
    AddressProvider: {"service_uid": "the-first", "timeout_seconds": 600},
    RequirementsProvider: {
        "cluster": CLUSTER,
        "project": "my-project",
        "apis": ["container.googleapis.com"],
        "programs": [],
        "fixed": {"gke.region": "us-central1"},
        "nodes": {"machine_type": "e2-standard-2", "platform": "linux/amd64"},
    },
    ProtectionProvider: {"cluster": CLUSTER, "protected": False},
}
"""Inputs of each resource beside the site and the kubeconfig."""

ASKING = [kind for kind in OWN if kind not in (RequirementsProvider, ProtectionProvider)]
"""Those that ask Kubernetes. The other two stand before there is a cluster, and before its end."""

AT_ONCE = [PreflightProvider, NamespaceProvider]
"""Those of them that find out whether it answers. The others bear with it for some 50 s if not;
tests/unit/test_retries.py makes that shorter."""

COMPUTED: dict[type[DynamicProvider], dict[str, Any]] = {
    NamespaceProvider: {"uid": "the-first"},
    DiscoveryProvider: {
        "cluster_id": "c1",
        "birth": "the-mark",
        "origin": "born",
        "token": SECRET,
        "phases": {"pods": 1.25},
    },
    HandoverProvider: {"proof": PROOF, "timings": {"receipt": 0.1}},
    ScaleProvider: {"proof": PROOF},
    RolloutProvider: {"proof": PROOF},
    AddressProvider: {"host": "192.0.2.7"},
}

ALL = pytest.mark.parametrize("kind", list(OWN), ids=lambda kind: kind.__name__)


def inputs(
    kind: type[DynamicProvider], api: str = "http://127.0.0.1:1", **changed: Any
) -> dict[str, Any]:
    return {"site": SITE, "kubeconfig": kubeconfig(api), **OWN[kind], **changed}


def refused(call: Callable[[], object], process: Plugin) -> str:
    """The one message with which a call fails, after a look at all that people get to see."""
    with pytest.raises(RefusedError) as failure:
        call()
    text = str(failure.value)
    everything = text + process.said()
    for leak in (SECRET, "Traceback", 'File "', "site-packages", "WARNING", "Retrying"):
        assert leak not in everything
    *said, following = text.splitlines()
    assert said, "what happened comes first"
    assert following.startswith("Next: ")
    assert len(following) > len("Next: ")
    return text


def preflight(process: Plugin, api: Kubernetes, **changed: Any) -> str:
    """The message with which the preflight refuses."""
    props = inputs(PreflightProvider, api.url, **changed)
    return refused(lambda: process.create(PreflightProvider(), props), process)
