"""Discovery services beside the lab's Kubernetes, as real programs on the node's own address.

They run in the lab's network namespace, so both this machine and the pods reach them, and end with
the lab at the latest.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import processes, tools
from lab.addresses import Addresses
from lab.state import Lab, read_addresses

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
    addresses = _addresses(lab)
    server, etcd = (f"http://{addresses.node}:{port}" for port in (_SERVER_PORT, _CLIENT_PORT))
    config = folder / "etc" / "etcd-discovery" / "etcd-discovery.conf"
    config.parent.mkdir(parents=True)
    bind = f"{addresses.node}:{_SERVER_PORT}"
    config.write_text(_CONFIG.format(url=server, bind=bind, etcd=etcd))
    command = ("unshare", "-m", "sh", "-c", _WITH_CONFIG, str(folder / "etc"))
    with ExitStack() as stack:
        run = _Runner(lab, addresses, folder, stack)
        run.etcd("etcd-3.4", programs["etcd-3.4"], "--enable-v2=true")
        run.wait(f"{etcd}/health")
        run.program("discovery", *command, str(programs["discovery.etcd.io"]))
        # Not /health: that one makes a token of its own.
        run.wait(f"{server}/robots.txt")
        yield V2Service(f"{server}/new", etcd)


@contextmanager
def v3_service(lab: Lab, folder: Path) -> Generator[V3Service]:
    """Run an etcd of its own, ended at the end."""
    programs = tools.ensure(["etcd", "etcdctl"])
    addresses = _addresses(lab)
    url = f"http://{addresses.node}:{_CLIENT_PORT}"
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        run = _Runner(lab, addresses, folder, stack)
        run.etcd("etcd-v3", programs["etcd"])
        run.wait(f"{url}/health")
        yield V3Service(url, programs["etcdctl"])


def _addresses(lab: Lab) -> Addresses:
    addresses = read_addresses(lab)
    assert addresses is not None, "the lab is up"
    return addresses


@dataclass(frozen=True)
class _Runner:
    """Starts programs in the lab's network namespace; `stack` ends them."""

    lab: Lab
    addresses: Addresses
    folder: Path
    stack: ExitStack

    def etcd(self, name: str, program: Path, *flags: str) -> None:
        node = self.addresses.node
        self.program(
            name,
            str(program),
            f"--data-dir={self.folder / name}",
            f"--listen-client-urls=http://{node}:{_CLIENT_PORT}",
            f"--advertise-client-urls=http://{node}:{_CLIENT_PORT}",
            f"--listen-peer-urls=http://{node}:{_PEER_PORT}",
            f"--initial-advertise-peer-urls=http://{node}:{_PEER_PORT}",
            f"--initial-cluster=default=http://{node}:{_PEER_PORT}",
            *flags,
        )

    def program(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                processes.inside(self.lab, self.addresses, command), stdout=log, stderr=log
            )
        self.stack.callback(_end, process)

    def wait(self, url: str, seconds: float = 20) -> None:
        """Until something answers there, whatever it says."""
        deadline = time.monotonic() + seconds
        while not _answers(url):
            logs: Mapping[str, str] = {p.name: p.read_text() for p in self.folder.glob("*.log")}
            assert time.monotonic() < deadline, f"{url} does not answer; {logs}"
            time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
