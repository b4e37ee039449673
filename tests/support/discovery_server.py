"""Discovery services beside the lab's Kubernetes, as real programs on the node's own address."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import tools
from lab.state import Lab
from tests.support.beside import Runner, beside

# Free in the lab's network namespace, whose programs are all known.
_SERVER_PORT, _CLIENT_PORT, _PEER_PORT = 8087, 8379, 8380

_CONFIG = """[server]
prefix_url = {url}
web_service_address = {bind}
[etcd]
endpoint_location = {etcd}
"""

# The server reads this one path; the mount is seen by nobody else and goes with the process.
_WITH_CONFIG = 'mount -t overlay overlay -o lowerdir="$0":/etc /etc && exec "$@"'


@dataclass(frozen=True)
class V2Service:
    """A running server of https://github.com/etcd-io/discovery.etcd.io, with etcd 3.4 behind it."""

    url: str
    """Where it hands out tokens: ends in /new."""
    etcd_url: str

    def tokens(self) -> dict[str, list[str]]:
        """What each token that was ever handed out says: the members' `name=peerURL`."""
        keys = self._nodes("/v2/keys/_etcd/registry?recursive=true")
        return {
            node["key"].rpartition("/")[2]: sorted(
                member["value"] for member in node.get("nodes", []) if not member.get("dir")
            )
            for node in keys
        }

    def _nodes(self, path: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.etcd_url}{path}", timeout=5) as answer:
            return json.load(answer)["node"].get("nodes", [])


@dataclass(frozen=True)
class V3Service:
    """A running etcd 3.6 that somebody has already."""

    url: str
    etcdctl: Path

    def ctl(self, *arguments: str) -> str:
        command = [str(self.etcdctl), f"--endpoints={self.url}", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=20
        ).stdout

    def keys(self, revision: int = 0) -> list[str]:
        """All keys, now or as they were at a revision."""
        then = f"--rev={revision}"
        return self.ctl("get", "", "--from-key", "--keys-only", then).split()

    def revision(self) -> int:
        return int(json.loads(self.ctl("get", "x", "-w", "json"))["header"]["revision"])


@contextmanager
def v2_service(lab: Lab, folder: Path) -> Generator[V2Service]:
    """Run a v2 discovery service; both of its processes are ended at the end."""
    programs = tools.ensure(["discovery.etcd.io", "etcd-3.4"])
    config = folder / "etc" / "etcd-discovery" / "etcd-discovery.conf"
    config.parent.mkdir(parents=True)
    command = ("unshare", "-m", "sh", "-c", _WITH_CONFIG, str(folder / "etc"))
    with beside(lab, folder) as run:
        node = run.addresses.node
        server, etcd = (f"http://{node}:{port}" for port in (_SERVER_PORT, _CLIENT_PORT))
        bind = f"{node}:{_SERVER_PORT}"
        config.write_text(_CONFIG.format(url=server, bind=bind, etcd=etcd))
        _start_etcd(run, "etcd-3.4", programs["etcd-3.4"], "--enable-v2=true")
        run.wait(f"{etcd}/health")
        run.program("discovery", *command, str(programs["discovery.etcd.io"]))
        # Not /health: that one makes a token of its own.
        run.wait(f"{server}/robots.txt")
        yield V2Service(f"{server}/new", etcd)


@contextmanager
def v3_service(lab: Lab, folder: Path) -> Generator[V3Service]:
    """Run an etcd of its own, ended at the end."""
    programs = tools.ensure(["etcd", "etcdctl"])
    with beside(lab, folder) as run:
        url = f"http://{run.addresses.node}:{_CLIENT_PORT}"
        _start_etcd(run, "etcd-v3", programs["etcd"])
        run.wait(f"{url}/health")
        yield V3Service(url, programs["etcdctl"])


def _start_etcd(run: Runner, name: str, program: Path, *flags: str) -> None:
    node = run.addresses.node
    run.program(
        name,
        str(program),
        f"--data-dir={run.folder / name}",
        f"--listen-client-urls=http://{node}:{_CLIENT_PORT}",
        f"--advertise-client-urls=http://{node}:{_CLIENT_PORT}",
        f"--listen-peer-urls=http://{node}:{_PEER_PORT}",
        f"--initial-advertise-peer-urls=http://{node}:{_PEER_PORT}",
        f"--initial-cluster=default=http://{node}:{_PEER_PORT}",
        *flags,
    )
