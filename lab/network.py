"""The lab's network namespace and the one link that joins it to the host."""

import json
import subprocess
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path

from lab.addresses import Addresses
from lab.errors import LabError
from lab.mounts import unmount_below
from lab.processes import namespace_file

NODE_LINK = "node0"
"""The link's end inside the namespace; it carries the node's address."""


def create(addresses: Addresses) -> None:
    """Make the namespace, a veth pair into it, and the host's route to everything inside."""
    name, inside = addresses.kernel_name, namespace_file(addresses)
    inside.parent.mkdir(parents=True, exist_ok=True)
    inside.touch()
    # Not `ip netns add`: that leaves a mount of /run/netns on itself behind for good.
    _run(["unshare", f"--net={inside}", "true"])
    length = addresses.link.prefixlen
    _ip(
        f"link add {name} type veth peer name {NODE_LINK} netns {name}",
        f"addr add {addresses.host}/{length} dev {name}",
        f"link set {name} up",
    )
    _ip(
        "link set lo up",
        f"addr add {addresses.node}/{length} dev {NODE_LINK}",
        f"link set {NODE_LINK} up",
        # Without a route, packets to a Service's address are refused before DNAT sees them.
        f"route add {addresses.services} dev {NODE_LINK}",
        f"route add {addresses.load_balancers} dev {NODE_LINK}",
        namespace=name,
    )
    _ip(f"route add {addresses.all} via {addresses.node}")
    forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
    _run(["nsenter", f"--net={inside}", "sh", "-c", forward])


def remove(addresses: Addresses) -> None:
    """Remove link, route and namespace; what is missing already is fine."""
    if Path(f"/sys/class/net/{addresses.kernel_name}").exists():
        _run(["ip", "link", "delete", addresses.kernel_name])
    inside = namespace_file(addresses)
    unmount_below(inside)
    inside.unlink(missing_ok=True)
    with suppress(OSError):
        inside.parent.rmdir()


def host_networks() -> list[IPv4Network]:
    """Return every IPv4 network that the host has a route or an address for."""
    routes = json.loads(_run(["ip", "-json", "-4", "route", "show", "table", "all"]))
    destinations = [route["dst"] for route in routes if route["dst"] != "default"]
    return [IPv4Network(destination) for destination in destinations]


def _ip(*commands: str, namespace: str | None = None) -> None:
    inside = ["-n", namespace] if namespace else []
    _run(["ip", *inside, "-batch", "-"], text="\n".join(commands) + "\n")


def _run(argv: list[str], text: str | None = None) -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(
            f"{' '.join(argv)} failed with code {done.returncode}: {done.stderr.strip()}"
            + (f"\nIts input was:\n{text}" if text else ""),
            "run python -m lab down and then the command again",
        )
    return done.stdout
