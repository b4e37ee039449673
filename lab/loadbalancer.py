"""Which address a Service of type LoadBalancer gets: decisions only, over plain API objects.

Writing the address into the Service's status is all a cloud's load balancer comes down to here:
kube-proxy then answers on it, and the host has a route to the whole range.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

Object = Mapping[str, Any]
"""A Service in its JSON form, read only."""


def addresses_of(service: Object) -> tuple[str, ...]:
    """Return the load-balancer addresses that a Service has."""
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return tuple(entry["ip"] for entry in ingress if entry.get("ip"))


def addresses_due(
    service: Object, services: Iterable[Object], pool: IPv4Network
) -> tuple[str, ...]:
    """Return the load-balancer addresses that a Service ought to have.

    One address of the pool that no other of `services` has; the one it has stays. None for
    another type of Service. A Service with a class of its own (`spec.loadBalancerClass`) belongs
    to another controller and stays as it is. Also none where the pool is used up: the Service
    then stays pending, as on a cloud.
    """
    spec, own = service["spec"], addresses_of(service)
    if spec.get("loadBalancerClass"):
        return own
    if spec.get("type") != "LoadBalancer":
        return ()
    if own:
        return own
    taken = {address for other in services for address in addresses_of(other)}
    return tuple(next(([str(a)] for a in pool.hosts() if str(a) not in taken), []))
