"""The yardstick: a plain static three-member StatefulSet, as one would write it by hand."""

import json
import time
from typing import Any

from bench.cluster import pod_endpoints
from bench.shell import BenchError, Shell

NAMESPACE = "static"
_DEADLINE_SECONDS = 120


def measure(shell: Shell, image: str) -> float:
    """Seconds from `kubectl apply` until all three members are healthy. Leaves nothing."""
    shell.timed("kubectl", "create", "namespace", NAMESPACE)
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects(image)})
    try:
        began = time.monotonic()
        shell.json("kubectl", "apply", "-o", "json", "-f", "-", stdin=manifest)
        while not _healthy(shell):
            if time.monotonic() - began > _DEADLINE_SECONDS:
                raise BenchError(
                    f"The static StatefulSet is not healthy after {_DEADLINE_SECONDS} s.\n"
                    "Next: python -m lab status --name bench"
                )
            time.sleep(0.05)
        return time.monotonic() - began
    finally:
        shell.timed("kubectl", "delete", "namespace", NAMESPACE)


def _healthy(shell: Shell) -> bool:
    endpoints = pod_endpoints(shell, NAMESPACE)
    if len(endpoints) < 3:
        return False
    # By the environment: the lab's etcdctl sets it, and etcdctl refuses flag and variable together.
    these = Shell({**shell.env, "ETCDCTL_ENDPOINTS": ",".join(endpoints)})
    told = these.json("etcdctl", "--command-timeout", "1s", "endpoint", "health", "-w", "json")
    return told is not None and all(row["health"] for row in told)


def objects(image: str) -> list[dict[str, Any]]:
    """The peer Service and the StatefulSet: Parallel, volumes of the default class."""
    labels = {"app": "etcd"}
    peers = {f"etcd-{i}": f"http://etcd-{i}.etcd.{NAMESPACE}.svc:2380" for i in range(3)}
    host = f"http://$(NAME).etcd.{NAMESPACE}.svc"
    container = {
        "name": "etcd",
        "image": image,
        "command": [
            "/usr/local/bin/etcd",
            "--name=$(NAME)",
            "--data-dir=/data/etcd",
            "--listen-client-urls=http://0.0.0.0:2379",
            f"--advertise-client-urls={host}:2379",
            "--listen-peer-urls=http://0.0.0.0:2380",
            f"--initial-advertise-peer-urls={host}:2380",
            f"--initial-cluster={','.join(f'{name}={url}' for name, url in peers.items())}",
        ],
        "env": [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 2379}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "etcd", "namespace": NAMESPACE},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": labels,
            "ports": [{"port": 2380}],
        },
    }
    stateful_set = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "etcd", "namespace": NAMESPACE},
        "spec": {
            "replicas": 3,
            "serviceName": "etcd",
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "securityContext": {"runAsUser": 65532, "fsGroup": 65532},
                    "containers": [container],
                },
            },
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": "data"},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": "1Gi"}},
                    },
                }
            ],
        },
    }
    return [service, stateful_set]
