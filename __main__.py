"""An etcd cluster on Kubernetes: seeds form it, units take it over, seeds go.

Read from top to bottom: the parts stand in the order in which the cluster comes to life.
"""

from __future__ import annotations

import pulumi

from components import cluster, ending, orphans, outputs, own_classes, settings
from components.discovery import DiscoveryService
from components.dynamic.address import Address
from components.dynamic.discovery import Discovery
from components.dynamic.handover import Handover
from components.dynamic.namespace import Namespace
from components.dynamic.preflight import Preflight
from components.dynamic.rollout import Rollout
from components.dynamic.scale import Scale
from components.dynamic.start import Start
from components.image import Image
from components.inputs import Inputs, after
from components.names import Names
from components.seeds import Seeds
from components.service import Services
from components.units import Units

ending.with_the_language_host()
config = settings.load()
names = Names(config, pulumi.get_stack())

kubernetes = cluster.obtain(config)
inputs = Inputs(names, kubernetes)
image = Image("etcd", config, kubernetes.registry)

preflight = Preflight("preflight", inputs.preflight(), after(*kubernetes.needs))
namespace = Namespace("namespace", inputs.namespace(), after(preflight))
inside = pulumi.ResourceOptions(
    providers={"kubernetes": kubernetes.provider}, depends_on=[namespace]
)
hooks = orphans.hooks(names, kubernetes.kubeconfig)
inside = own_classes.declare(names, hooks, inside)
services = Services("service", names, hooks, inside)
discovery_service = DiscoveryService("discovery", names, image.ref, hooks, inside)
seeds = Seeds("seeds", names, image.ref, hooks, inside)
units = Units("units", names, image.ref, hooks, inside)

# After all of them: in a destroy it goes first, and may refuse.
start = Start("units", inputs.start(), after(services, discovery_service, seeds, units))
discovery = Discovery("discovery", inputs.discovery(), after(services, discovery_service, seeds))
handover = Handover("handover", inputs.handover(discovery), after(start, services))
scale = Scale("units", inputs.scale(discovery, handover, units), after(handover))
rollout = Rollout("units", inputs.rollout(discovery, handover, scale, units), after(scale))
address = None
if config.service.type == "LoadBalancer":
    # Last: the members do without it, and their sequences must not wait for it.
    address = Address("service", inputs.address(services), after(rollout))

cluster.seal(config, address or rollout)
outputs.export(
    outputs.access(names, inputs.site, services, address),
    outputs.etcd(discovery, handover, scale, rollout),
    kubernetes.outputs,
)
