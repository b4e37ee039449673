"""The connections between a stack's pods, as the kernel has noted them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import processes
from lab.state import Lab, read_addresses
from tests.support.stack import Stack

_REPLY = re.compile(r"\[UNREPLIED\] src=(?P<server>\S+) dst=(?P<client>\S+) sport=(?P<port>\d+) ")
"""Who answers: the pod itself, also where a Service's address was asked."""


@dataclass(frozen=True)
class Connection:
    """By the roles of both ends and the name of the server's port."""

    client: str
    server: str
    port: str


@dataclass(frozen=True)
class Record:
    """What was noted of connections and of pods."""

    begun: Path
    changes: Path
    """Every state of every pod, one JSON object after the other."""

    def connections(self) -> dict[Connection, tuple[Any, Any]]:
        """Those between two pods, each with an example of its ends, client first."""
        pods = self._pods()
        seen: dict[Connection, tuple[Any, Any]] = {}
        for reply in _REPLY.finditer(self.begun.read_text()):
            client, server = pods.get(reply["client"]), pods.get(reply["server"])
            if client is None or server is None:
                continue
            ports = server["spec"]["containers"][0]["ports"]
            port = {p["containerPort"]: p["name"] for p in ports}.get(int(reply["port"]))
            seen[Connection(_role(client), _role(server), port or reply["port"])] = client, server
        return seen

    def _pods(self) -> dict[str, Any]:
        """All that there were, by address."""
        text, decoder = self.changes.read_text(), json.JSONDecoder()
        found: dict[str, Any] = {}
        at = 0
        while (at := text.find("{", at)) >= 0:
            try:
                pod, at = decoder.raw_decode(text, at)
            except json.JSONDecodeError:  # it was being written when the record ended
                break
            if "podIP" in pod["status"]:
                found[pod["status"]["podIP"]] = pod
        return found


def _role(pod: Any) -> str:
    return pod["metadata"]["labels"]["role"]


@contextmanager
def recorded(lab: Lab, stack: Stack, folder: Path) -> Generator[Record]:
    """Note what begins in the lab's network (conntrack(8)), and the stack's pods."""
    addresses = read_addresses(lab)
    assert addresses is not None
    new = ("conntrack", "--event", "--event-mask=NEW", "--proto=tcp", "--output=extended")
    roomy = (*new, "--buffer-size=8388608")
    pods = ("kubectl", "-n", stack.namespace, "get", "pods", "--watch", "--output=json")
    folder.mkdir()
    record = Record(folder / "connections", folder / "pods")
    with (
        _noting(processes.inside(lab, addresses, roomy), record.begun),
        _noting(pods, record.changes, stack.env),
    ):
        yield record


@contextmanager
def _noting(
    command: Sequence[str], file: Path, env: Mapping[str, str] | None = None
) -> Generator[None]:
    amiss = file.with_suffix(".amiss")
    with file.open("wb") as out, amiss.open("wb") as errors:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=errors)
    try:
        yield
        assert process.poll() is None, f"{command[0]} has ended: nothing was noted any more"
        # conntrack goes on where the kernel had more to say than there was room for.
        assert "ENOBUFS" not in amiss.read_text(), "not everything was noted"
    finally:
        process.terminate()
        process.wait()
