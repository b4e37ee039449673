"""An etcd cluster on Kubernetes: seeds form it, units take it over, seeds go.

Read from top to bottom: the parts stand in the order in which the cluster comes to life.
"""

from __future__ import annotations

import pulumi

from components import cluster, orphans, sequences, settings
from components.discovery import DiscoveryService
from components.dynamic.discovery import Discovery
from components.dynamic.handover import Handover
from components.dynamic.namespace import Namespace
from components.dynamic.preflight import Preflight
from components.dynamic.scale import Scale
from components.image import Image
from components.names import Names
from components.seeds import Seeds
from components.service import Services
from components.units import Units

config = settings.load()
names = Names(config, pulumi.get_stack())

kubernetes = cluster.connect(config.kubernetes)
place = sequences.place(names, kubernetes)
image = Image("etcd", config)

preflight = Preflight("preflight", {**place, **sequences.preflight(names)})
namespace = Namespace(
    "namespace",
    {**place, "retain": config.storage.retain},
    pulumi.ResourceOptions(depends_on=[preflight]),
)
inside = pulumi.ResourceOptions(
    providers={"kubernetes": kubernetes.provider}, depends_on=[namespace]
)
hooks = orphans.hooks(names, kubernetes.credentials)
services = Services("service", names, hooks, inside)
discovery_service = DiscoveryService("discovery", names, image.ref, hooks, inside)
seeds = Seeds("seeds", names, image.ref, hooks, inside)
units = Units("units", names, image.ref, hooks, inside)

scale = Scale(
    "units", {**place, "units": config.units.count}, pulumi.ResourceOptions(depends_on=[units])
)
discovery = Discovery(
    "discovery",
    {**place, **sequences.discovery(names)},
    pulumi.ResourceOptions(depends_on=[services, discovery_service, seeds]),
)
handover = Handover(
    "handover",
    {
        **place,
        "units": config.units.count,
        "cluster_id": discovery.cluster_id,
        "timeout_seconds": config.handover.timeout_seconds,
    },
    pulumi.ResourceOptions(depends_on=[scale, services]),
)

for name, value in sequences.outputs(names, services, discovery, handover).items():
    pulumi.export(name, value)
