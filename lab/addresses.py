"""The addresses of a lab, derived from its slot alone: no two slots share one.

Slot k owns 10.(200+k).0.0/16. One route on the host leads there, so pod, Service, load-balancer
and node addresses all answer from the host:

    10.(200+k).0.0/30      the veth pair: .1 is the node, .2 is the host
    10.(200+k).1.0/24      load balancers
    10.(200+k).64.0/18     pods
    10.(200+k).128.0/17    Services
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from lab.errors import LabError

SLOTS = 56
"""10.200.0.0/16 to 10.255.0.0/16."""


@dataclass(frozen=True)
class Addresses:
    """Every address and kernel-wide name that belongs to one slot."""

    slot: int

    @property
    def kernel_name(self) -> str:
        """Name of the host's link and of the control groups: at most 15 letters."""
        return f"etcd-lab-{self.slot}"

    @property
    def all(self) -> IPv4Network:
        return IPv4Network(f"10.{200 + self.slot}.0.0/16")

    @property
    def link(self) -> IPv4Network:
        return IPv4Network(f"10.{200 + self.slot}.0.0/30")

    @property
    def node(self) -> IPv4Address:
        return self.link[1]

    @property
    def host(self) -> IPv4Address:
        return self.link[2]

    @property
    def load_balancers(self) -> IPv4Network:
        return IPv4Network(f"10.{200 + self.slot}.1.0/24")

    @property
    def pods(self) -> IPv4Network:
        return IPv4Network(f"10.{200 + self.slot}.64.0/18")

    @property
    def services(self) -> IPv4Network:
        return IPv4Network(f"10.{200 + self.slot}.128.0/17")

    @property
    def api_url(self) -> str:
        return f"https://{self.node}:6443"


def choose_slot(used: Collection[int], host_networks: Collection[IPv4Network]) -> int:
    """Return the lowest slot that no other lab uses and that hides nothing the host can reach.

    A wider route of the host (a VPN's 10.0.0.0/8) is no obstacle: the lab's more specific route
    takes only its own /16 out of it.
    """
    for slot in range(SLOTS):
        own = Addresses(slot).all
        hides = any(net.prefixlen >= own.prefixlen and net.overlaps(own) for net in host_networks)
        if slot not in used and not hides:
            return slot
    raise LabError(
        f"All {SLOTS} address ranges from {Addresses(0).all} to {Addresses(SLOTS - 1).all} "
        "are in use on this machine.",
        "take a lab down that is no longer needed: python -m lab down --name NAME",
    )
