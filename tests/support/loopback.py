"""A real etcd cluster on loopback, for tests that need etcd and no Kubernetes."""

import contextlib
import json
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from tests.support.ports import free_port
from tests.support.supervisor import told


class LoopbackEtcd:
    """Members by name, each one process with a data folder and two free ports of its own."""

    def __init__(self, programs: Mapping[str, Path], directory: Path, names: Sequence[str]) -> None:
        ports = [free_port() for _ in range(2 * len(names))]
        self._programs = programs
        self._directory = directory
        self._client = dict(zip(names, ports, strict=False))
        self._peer = dict(zip(names, ports[len(names) :], strict=True))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def endpoints(self, *names: str) -> list[str]:
        return [f"http://127.0.0.1:{self._client[name]}" for name in names]

    def peer_port(self, name: str) -> int:
        return self._peer[name]

    def start(self, *names: str, cluster: Sequence[str]) -> None:
        """Start these members of the cluster that all of `cluster` form together."""
        peers = {name: f"http://127.0.0.1:{self._peer[name]}" for name in cluster}
        for name in names:
            (client,) = self.endpoints(name)
            with (self._directory / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    [
                        *(str(self._programs["etcd"]), "--name", name),
                        *("--data-dir", str(self._directory / name)),
                        *("--listen-client-urls", client, "--advertise-client-urls", client),
                        *("--listen-peer-urls", peers[name]),
                        *("--initial-advertise-peer-urls", peers[name]),
                        *("--initial-cluster", ",".join(f"{n}={u}" for n, u in peers.items())),
                    ],
                    stdout=log,
                    stderr=log,
                )

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def kill(self, *names: str) -> None:
        """End members without a chance to say goodbye; their data stays."""
        for name in names:
            self._processes[name].send_signal(signal.SIGKILL)
            self._processes[name].wait()

    def ctl(self, *arguments: str, at: Sequence[str]) -> str:
        """Run etcdctl against these members."""
        command = [str(self._programs["etcdctl"]), "--endpoints", ",".join(self.endpoints(*at))]
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=30, check=True
        ).stdout

    def is_ready(self, name: str) -> bool:
        """Whether a quorum answers through this member."""
        try:
            self.ctl("endpoint", "health", at=[name])
        except subprocess.CalledProcessError:
            return False
        return True

    def leader(self, names: Sequence[str]) -> str:
        """Name of the leader among these members, once all answer and one of them leads."""
        return told(f"a leader among {', '.join(names)}", lambda: self._leader(names))

    def _leader(self, names: Sequence[str]) -> str | None:
        try:
            rows = json.loads(self.ctl("endpoint", "status", "-w", "json", at=names))
        except subprocess.SubprocessError:
            return None
        for name, row in zip(names, rows, strict=True):
            if row["Status"]["leader"] == row["Status"]["header"]["member_id"]:
                return name
        return None


@contextlib.contextmanager
def loopback_etcd(
    programs: Mapping[str, Path], directory: Path, names: Sequence[str]
) -> Generator[LoopbackEtcd, None, None]:
    """Places for these members, none started yet; all are killed at the end."""
    members = LoopbackEtcd(programs, directory, names)
    try:
        yield members
    finally:
        members.kill(*members._processes)  # pyright: ignore[reportPrivateUsage] - same module
