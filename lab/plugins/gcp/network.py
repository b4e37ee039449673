"""A network of one's own: network and subnetwork."""

import re
from typing import Any

from lab.plugins.gcp.patterns import CIDR, PROJECT, REGION, RESOURCE_NAME
from lab.plugins.gcp.resource import (
    NOT_SENT,
    Api,
    Inputs,
    ResourceType,
    Surroundings,
    of,
)

_API = Api("compute.v1", "compute.googleapis.com", "Compute Engine API")

_LINKS = "https://www.googleapis.com/compute/v1/"


def _kept(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _regional(inputs: Inputs, around: Surroundings, kind: str, name: str) -> str:
    project, region = of(inputs, "project", around.project), of(inputs, "region", around.region)
    return f"projects/{project}/regions/{region}/{kind}/{name}"


def _outputs(_inputs: Inputs, id_: str, _around: Surroundings) -> dict[str, Any]:
    parts = id_.split("/")
    place = {"region": parts[3]} if parts[2] == "regions" else {}
    return {"project": parts[1], "selfLink": f"{_LINKS}{id_}", **place}


def _network_of(inputs: Inputs, around: Surroundings) -> list[str]:
    """The network's ID, whether it is given by name, ID or link."""
    given = str(inputs["network"])
    found = re.search("projects/.*", given)
    if given == "default" or given.endswith("/networks/default"):
        return []
    project = of(inputs, "project", around.project)
    return [found[0] if found else f"projects/{project}/global/networks/{given}"]


NETWORK = ResourceType(
    token="gcp:compute/network:Network",
    api=_API,
    schema="Network",
    table={
        **_kept("name", "autoCreateSubnetworks", "description"),
        "routingMode": "routingConfig.routingMode",
        "deletionPolicy": NOT_SENT,
        "project": NOT_SENT,
    },
    identify=lambda inputs, around: (
        f"projects/{of(inputs, 'project', around.project)}/global/networks/{inputs['name']}"
    ),
    outputs=_outputs,
    permission="compute.networks",
    error="Error creating Network: {error}",
    waiting="Creating Network",
    required=("name",),
    patterns={"name": RESOURCE_NAME, "project": PROJECT},
    immutable=("name", "project", "autoCreateSubnetworks", "description"),
    named="name",
    held=True,
)

SUBNETWORK = ResourceType(
    token="gcp:compute/subnetwork:Subnetwork",
    api=_API,
    schema="Subnetwork",
    table={
        **_kept("name", "ipCidrRange", "network", "region", "privateIpGoogleAccess"),
        **_kept("logConfig.aggregationInterval", "logConfig.flowSampling", "logConfig.metadata"),
        **_kept("secondaryIpRanges[].rangeName", "secondaryIpRanges[].ipCidrRange"),
        "project": NOT_SENT,
        "deletionPolicy": NOT_SENT,
    },
    identify=lambda inputs, around: _regional(inputs, around, "subnetworks", inputs["name"]),
    outputs=_outputs,
    permission="compute.subnetworks",
    error="Error creating Subnetwork: {error}",
    waiting="Creating Subnetwork",
    required=(
        "name",
        "network",
        "ipCidrRange",
        "secondaryIpRanges[].rangeName",
        "secondaryIpRanges[].ipCidrRange",
    ),
    patterns={
        "name": RESOURCE_NAME,
        "project": PROJECT,
        "region": REGION,
        "ipCidrRange": CIDR,
        "secondaryIpRanges[].rangeName": RESOURCE_NAME,
        "secondaryIpRanges[].ipCidrRange": CIDR,
    },
    # A primary range may grow in place, never shrink: here any change of it replaces.
    immutable=("name", "project", "region", "network", "ipCidrRange"),
    named="name",
    parents=_network_of,
    held=True,
)
