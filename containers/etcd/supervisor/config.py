"""What the pod template tells a supervisor, by environment variables named MEMBER_*."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["unit", "seed", "discovery"]


@dataclass(frozen=True)
class Config:
    """One member's settings. Addresses are URLs, so that the scheme has one source."""

    role: Role
    name: str
    """The pod's name; also etcd's name of the member."""
    namespace: str
    stateful_set: str
    peer_url: str
    client_url: str
    cluster_url: str
    """The client Service: where a unit finds the cluster."""
    client_port: int
    peer_port: int
    metrics_port: int
    health_port: int
    etcd_version: str
    quota_bytes: int
    snapshot_count: int
    log_level: str
    directory: Path
    """The volume's mount point; etcd's own data directory lies in it."""
    discovery_protocol: str
    """Seeds: `v2` or `v3`, the protocol. Empty for units, which know nothing of discovery."""
    discovery_token: str
    """Seeds: the v3 token, or the whole v2 URL."""
    discovery_endpoint: str
    """Seeds: client URL of the v3 discovery service."""

    @property
    def ordinal(self) -> int:
        return int(self.name.rpartition("-")[2])

    @property
    def peers_url(self) -> str:
        """The peer Service, behind which all members are, those that do not serve yet as well."""
        scheme, _, host = self.client_url.partition("://")
        return f"{scheme}://{host.partition('.')[2]}"

    @property
    def data_dir(self) -> Path:
        return data_dir(self.directory)

    @property
    def minor(self) -> tuple[int, int]:
        """etcd's minor line, such as (3, 6)."""
        major, minor = self.etcd_version.split(".")[:2]
        return int(major), int(minor)


def data_dir(directory: Path) -> Path:
    """Where on the volume etcd's own data is."""
    return directory / "data"


def from_environment(env: Mapping[str, str] = os.environ) -> Config:
    """Read the settings. Raises KeyError, ValueError or OSError where the pod lacks one."""
    role = env["MEMBER_ROLE"]
    if role not in ("unit", "seed", "discovery"):
        raise ValueError(f"MEMBER_ROLE is {role!r}; allowed: unit, seed, discovery")
    return Config(
        role=role,
        name=env["MEMBER_NAME"],
        namespace=env["MEMBER_NAMESPACE"],
        stateful_set=env["MEMBER_STATEFUL_SET"],
        peer_url=env["MEMBER_PEER_URL"],
        client_url=env["MEMBER_CLIENT_URL"],
        cluster_url=env["MEMBER_CLUSTER_URL"],
        client_port=int(env["MEMBER_CLIENT_PORT"]),
        peer_port=int(env["MEMBER_PEER_PORT"]),
        metrics_port=int(env["MEMBER_METRICS_PORT"]),
        health_port=int(env["MEMBER_HEALTH_PORT"]),
        etcd_version=env["MEMBER_ETCD_VERSION"],
        quota_bytes=int(env["MEMBER_QUOTA_BYTES"]),
        snapshot_count=int(env["MEMBER_SNAPSHOT_COUNT"]),
        log_level=env["MEMBER_LOG_LEVEL"],
        directory=Path(env["MEMBER_DIRECTORY"]),
        **_discovery(env.get("MEMBER_DISCOVERY_DIRECTORY")),
    )


def _discovery(directory: str | None) -> dict[str, str]:
    """What the files of a seed's mounted Secret say; empty for those that have none."""
    return {
        f"discovery_{key}": (Path(directory) / key).read_text() if directory else ""
        for key in ("protocol", "token", "endpoint")
    }
