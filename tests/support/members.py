"""Settings of one member's supervisor, as the pod template would give them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from containers.etcd.supervisor.config import Config, from_environment


def environment(directory: Path, /, **changed: str) -> dict[str, str]:
    """The MEMBER_* variables of unit etcd-0 in Kubernetes; keys without the prefix change it."""
    host = "etcd-0.etcd-peer.etcd.svc.cluster.local"
    settings = {
        "role": "unit",
        "name": "etcd-0",
        "namespace": "etcd",
        "stateful_set": "etcd",
        "peer_url": f"http://{host}:2380",
        "client_url": f"http://{host}:2379",
        "cluster_url": "http://etcd.etcd.svc.cluster.local:2379",
        "client_port": "2379",
        "peer_port": "2380",
        "metrics_port": "2381",
        "health_port": "2382",
        "etcd_version": "3.6.14",
        "quota_bytes": "429496729",
        "snapshot_count": "10000",
        "log_level": "info",
        "directory": str(directory),
        **changed,
    }
    return {f"MEMBER_{key.upper()}": value for key, value in settings.items()}


def config(directory: Path = Path("/var/lib/etcd"), /, **changed: str) -> Config:
    return from_environment(environment(directory, **changed))


def seed(protocol: str = "v3", **changed: str) -> Config:
    """Seed etcd-seed-1 of a bootstrap with token `the-token`."""
    token = "the-token" if protocol == "v3" else "https://d.test/00000000000000000000000000000000"
    return replace(
        config(role="seed", name="etcd-seed-1", **changed),
        discovery_protocol=protocol,
        discovery_token=token,
        discovery_endpoint="http://etcd-discovery:2379" if protocol == "v3" else "",
    )
