"""The lab's network namespace and the one link that joins it to the host."""

import json
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

from lab.addresses import Addresses
from lab.errors import LabError
from lab.mounts import unmount_below
from lab.state import Lab

NODE_LINK = "node0"
"""The link's end inside the namespace; it carries the node's address."""


def create(lab: Lab, addresses: Addresses) -> None:
    """Make the namespace, a veth pair into it, and the host's route to everything inside."""
    name, namespace = addresses.kernel_name, lab.network_namespace
    namespace.touch()
    _run(["unshare", f"--net={namespace}", "true"])
    length = addresses.link.prefixlen
    _ip(
        [],
        f"link add {name} type veth peer name {NODE_LINK} netns {namespace}",
        f"addr add {addresses.host}/{length} dev {name}",
        f"link set {name} up",
    )
    inside = ["nsenter", f"--net={namespace}"]
    _ip(
        inside,
        "link set lo up",
        f"addr add {addresses.node}/{length} dev {NODE_LINK}",
        f"link set {NODE_LINK} up",
        # Without a route, packets to a Service's address are refused before DNAT sees them.
        f"route add {addresses.services} dev {NODE_LINK}",
        f"route add {addresses.load_balancers} dev {NODE_LINK}",
    )
    _ip([], f"route add {addresses.all} via {addresses.node}")
    _run([*inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])


def remove(lab: Lab, addresses: Addresses) -> None:
    """Remove link, route and namespace; what is missing already is fine."""
    # With its link the host loses the route; the namespace would take the link only later.
    if Path(f"/sys/class/net/{addresses.kernel_name}").exists():
        _run(["ip", "link", "delete", addresses.kernel_name])
    unmount_below(lab.network_namespace)


def host_networks() -> list[IPv4Network]:
    """Return every IPv4 network that the host has a route or an address for."""
    routes = json.loads(_run(["ip", "-json", "-4", "route", "show", "table", "all"]))
    destinations = [route["dst"] for route in routes if route["dst"] != "default"]
    return [IPv4Network(destination) for destination in destinations]


def _ip(inside: list[str], *commands: str) -> None:
    _run([*inside, "ip", "-batch", "-"], text="\n".join(commands) + "\n")


def _run(argv: list[str], text: str | None = None) -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(
            f"{' '.join(argv)} failed with code {done.returncode}: {done.stderr.strip()}"
            + (f"\nIts input was:\n{text}" if text else ""),
            "run python -m lab down and then the command again",
        )
    return done.stdout
