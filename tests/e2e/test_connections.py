"""Every connection that the pods really make is one that the declared NetworkPolicies let through.

The lab's network enforces none. So the kernel's own record of the connections between pods is held
against the policies that Kubernetes has: from nothing to balanced, one unit more, one restarted.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import processes
from lab.state import Lab, read_addresses
from tests.faults.cluster import is_ready
from tests.support.network_policy import open_ports
from tests.support.stack import Stack, until

_REPLY = re.compile(r"\[UNREPLIED\] src=(?P<server>\S+) dst=(?P<client>\S+) sport=(?P<port>\d+) ")
"""Who answers: the pod itself, also where a Service's address was asked."""


@dataclass(frozen=True)
class Connection:
    """By the roles of both ends and the name of the server's port."""

    client: str
    server: str
    port: str


@dataclass
class Pods:
    """All pods of a namespace that were seen, by address: one that is gone keeps its entry."""

    stack: Stack
    found: dict[str, Any] = field(default_factory=dict[str, Any])

    @contextmanager
    def watched(self) -> Generator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.3):
                for pod in self.stack.objects("pods"):
                    if "podIP" in pod["status"]:
                        self.found[pod["status"]["podIP"]] = pod

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def recorded(lab: Lab, file: Path) -> Generator[None]:
    """Note every connection that begins in the lab's network (conntrack(8))."""
    addresses = read_addresses(lab)
    assert addresses is not None
    command = ("conntrack", "--event", "--event-mask=NEW", "--proto=tcp", "--output=extended")
    with file.open("wb") as out:
        process = subprocess.Popen(
            processes.inside(lab, addresses, command), stdout=out, stderr=subprocess.DEVNULL
        )
    try:
        yield
        assert process.poll() is None, "nothing was recorded any more"
    finally:
        process.terminate()
        process.wait()


def connections(record: str, pods: dict[str, Any]) -> dict[Connection, tuple[Any, Any]]:
    """Those between two of these pods, each with an example of its ends, client first."""
    seen: dict[Connection, tuple[Any, Any]] = {}
    for reply in _REPLY.finditer(record):
        client, server = pods.get(reply["client"]), pods.get(reply["server"])
        if client is None or server is None:
            continue
        named = {p["containerPort"]: p["name"] for p in server["spec"]["containers"][0]["ports"]}
        port = named.get(int(reply["port"]), reply["port"])
        seen[Connection(role(client), role(server), port)] = client, server
    return seen


def role(pod: Any) -> str:
    return pod["metadata"]["labels"]["role"]


def test_what_pods_connect_to_is_what_the_policies_let_through(
    lab: Lab, new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = new_stack()
    pods = Pods(stack)
    record = tmp_path / "connections"
    with recorded(lab, record), pods.watched():
        stack.up()
        stack.set(units={"count": 5})
        stack.up()
        before = stack.pods()["etcd-0"]["metadata"]["uid"]
        stack.kubectl("delete", "pod", "etcd-0", "--wait=false")
        until("the pod that comes after it", lambda: _serves_again(stack, "etcd-0", before))
    seen = connections(record.read_text(), pods.found)
    for expected in (
        Connection("seed", "discovery", "client"),
        Connection("seed", "seed", "peer"),
        Connection("unit", "discovery", "client"),  # at its end, to delete the token's keys
        Connection("unit", "seed", "client"),
        Connection("unit", "seed", "peer"),
        Connection("unit", "unit", "client"),
        Connection("unit", "unit", "peer"),
        Connection("unit", "unit", "health"),
    ):
        assert expected in seen, f"{expected} among {sorted(map(str, seen))}"
    specs = [policy["spec"] for policy in stack.objects("networkpolicies")]
    for connection, (client, server) in seen.items():
        let = open_ports(specs, server["metadata"]["labels"], client["metadata"]["labels"])
        assert connection.port in (let or ()), connection


def _serves_again(stack: Stack, name: str, before: str) -> bool:
    pod = stack.pods().get(name)
    return pod is not None and pod["metadata"]["uid"] != before and is_ready(pod)
