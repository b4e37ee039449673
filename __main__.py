"""An etcd cluster on Kubernetes: seeds form it, units take it over, seeds go.

Read from top to bottom: the parts stand in the order in which the cluster comes to life.
"""

from __future__ import annotations

import pulumi

from components import cluster, ending, orphans, own_classes, sequences, settings
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
from components.names import Names
from components.seeds import Seeds
from components.service import Services
from components.units import Units

ending.with_the_language_host()
config = settings.load()
names = Names(config, pulumi.get_stack())

kubernetes = cluster.obtain(config)
place = sequences.place(names, kubernetes)
image = Image("etcd", config, kubernetes.registry)

preflight = Preflight(
    "preflight",
    {**place, **sequences.preflight(names)},
    pulumi.ResourceOptions(depends_on=kubernetes.needs),
)
namespace = Namespace(
    "namespace",
    {**place, "retain": config.storage.retain, "cluster_goes": config.gke.create},
    pulumi.ResourceOptions(depends_on=[preflight]),
)
inside = pulumi.ResourceOptions(
    providers={"kubernetes": kubernetes.provider}, depends_on=[namespace]
)
hooks = orphans.hooks(names, kubernetes.kubeconfig)
inside = own_classes.declare(names, hooks, inside)
services = Services("service", names, hooks, inside)
discovery_service = DiscoveryService("discovery", names, image.ref, hooks, inside)
seeds = Seeds("seeds", names, image.ref, hooks, inside)
units = Units("units", names, image.ref, hooks, inside)

start = Start(
    "units",
    {**place, "units": config.units.count},
    # All of them: in a destroy it goes first, and may refuse.
    pulumi.ResourceOptions(depends_on=[services, discovery_service, seeds, units]),
)
discovery = Discovery(
    "discovery",
    {**place, **sequences.discovery(names)},
    pulumi.ResourceOptions(depends_on=[services, discovery_service, seeds]),
)
which = sequences.identity(discovery)
handover = Handover(
    "handover",
    {**place, **sequences.count(names), **which},
    pulumi.ResourceOptions(depends_on=[start, services]),
)
scale = Scale(
    "units",
    {
        **place,
        **sequences.change(names),
        **which,
        "version": config.etcd.version,
        "retain": config.storage.retain,
        "found": units.replicas,
        "unfinished": units.unfinished,
        "floor": sequences.floor(handover.proof),
    },
    pulumi.ResourceOptions(depends_on=[handover]),
)
rollout = Rollout(
    "units",
    {
        **place,
        **sequences.change(names),
        **which,
        "template": units.template,
        "quota": sequences.quota(names),
        "unfinished": units.unfinished,
        "floor": sequences.floor(handover.proof, scale.proof),
    },
    pulumi.ResourceOptions(depends_on=[scale]),
)
address = None
if config.service.type == "LoadBalancer":
    address = Address(
        "service",
        {**place, **sequences.address(names, services)},
        # Last: the members do without it, and their sequences must not wait for it.
        pulumi.ResourceOptions(depends_on=[rollout]),
    )

cluster.seal(config, address or rollout)
proof = sequences.latest(handover.proof, scale.proof, rollout.proof)
told = {
    **sequences.access(names, kubernetes, services, address),
    **sequences.outputs(discovery, handover, proof),
    **kubernetes.outputs,
}
for name, value in told.items():
    pulumi.export(name, value)
