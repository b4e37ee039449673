"""etcd's command line for each way of starting it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from .config import Config
from .membership import Member

MAX_LEARNERS = 7
"""Learners that may be in the list at once: as many as there may be units.

With etcd's default of 1 every unit would wait for the one before it to settle as a voter, and one
orphan learner would block every other join (https://github.com/k3s-io/k3s/issues/2306). Each
member judges a membership entry by its own value when it applies it, so the value must be the
same on all members of a cluster for ever: never make it a setting, never change it. etcd 3.5 has no
such flag, and always 1 (maxLearners in its etcdserver/api/membership/cluster.go): while members of
both minors are there no unit may be added (`components/preflight/versions.py`).
"""


def restart(config: Config) -> list[str]:
    """Run on the data that is there: etcd ignores what its flags say about the cluster."""
    return [*_member(config), "--initial-cluster-state=existing"]


def join(config: Config, members: Iterable[Member]) -> list[str]:
    """Run as a member that was just added: `members` is the list after the add, own entry too.

    etcd compares count and URLs with the cluster's list and wants its own name in it; the names
    of the others do not matter, so a member that has not started may stand under its pod's name.
    """
    listed = ",".join(f"{m.pod}={m.peer_url}" for m in members)
    return [
        *_member(config),
        "--initial-cluster-state=existing",
        f"--initial-cluster={listed}",
    ]


def seed(config: Config) -> list[str]:
    """Form a new cluster by discovery."""
    if config.discovery_protocol == "v2":
        found = [f"--discovery={config.discovery_token}", "--discovery-fallback=exit"]
    else:
        found = [
            f"--discovery-token={config.discovery_token}",
            f"--discovery-endpoints={config.discovery_endpoint}",
        ]
    return [*_member(config), "--initial-cluster-state=new", *found]


def discovery(config: Config) -> list[str]:
    """Run the one-member etcd that serves as discovery service for the seeds."""
    return [
        *_common(config),
        f"--listen-peer-urls=http://127.0.0.1:{config.peer_port}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{config.peer_port}",
        f"--initial-cluster={config.name}=http://127.0.0.1:{config.peer_port}",
        # A few keys that live for seconds, in a pod whose loss means a new token anyway.
        "--unsafe-no-fsync=true",
    ]


def _member(config: Config) -> list[str]:
    learners = [f"--max-learners={MAX_LEARNERS}"] if config.minor >= (3, 6) else []
    scheme = config.peer_url.partition("://")[0]
    return [
        *_common(config),
        f"--listen-peer-urls={scheme}://0.0.0.0:{config.peer_port}",
        f"--initial-advertise-peer-urls={config.peer_url}",
        f"--quota-backend-bytes={config.quota_bytes}",
        f"--snapshot-count={config.snapshot_count}",
        # etcd's default is to keep all history for ever.
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=1h",
        *learners,
    ]


def _common(config: Config) -> list[str]:
    scheme = config.client_url.partition("://")[0]
    return [
        f"--name={config.name}",
        f"--data-dir={config.data_dir}",
        f"--listen-client-urls={scheme}://0.0.0.0:{config.client_port}",
        f"--advertise-client-urls={config.client_url}",
        f"--listen-metrics-urls=http://0.0.0.0:{config.metrics_port}",
        f"--log-level={config.log_level}",
    ]
