"""Dynamic resource `Address`: what the client Service is reached by from outside.

For a Service of type LoadBalancer only. It comes last: the members never need it.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult

from components.dynamic.provider import DynamicProvider, KubernetesResource
from components.site import Site


class AddressProvider(DynamicProvider):
    """Waits until the cloud has given the Service an address."""

    # A Service that was recreated gets another address.
    inputs = ("service_uid",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return when the Service has an address; see `components.kube.address`."""
        from components.kube.address import wait_for_host  # noqa: PLC0415 - heavy

        site = Site.of(props)
        outs = {**props, "host": wait_for_host(site, props)}
        return CreateResult(id_=f"{site.namespace}/{site.service}", outs=outs)

    def delete(self, _id: str, _props: Any) -> None:
        """Nothing: the address goes with the Service."""


class Address(KubernetesResource, module="etcd", name="Address"):
    """The address that a load balancer has given to the client Service.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Address``
    Deliberately absent: Pulumi's own wait for a Service. It waits for endpoints, too, and would
    hold up the units, by which there come to be any.
    """

    host: pulumi.Output[str]
    """IP address; on clouds that give none (Amazon) a host name."""

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), service_uid (of the client Service),
        timeout_seconds."""
        super().__init__(AddressProvider(), name, props, opts, outputs=("host",))
