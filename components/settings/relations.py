"""Rules between config groups. Pure.

Each is checked only where its values are valid by themselves: a wrong value is reported once.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from components.settings.etcd import DEFAULT_VERSION
from components.settings.model import HYPERDISK_ONLY, Settings
from components.settings.quantity import milli_cores, size_bytes
from components.settings.reader import Problems, remove_value, set_value

_PUBLIC_DISCOVERY = "discovery.etcd.io"

_GKE_DOMAIN = "cluster.local"

_RESERVED = 700
"""Thousandths of a core that a node has for Kubernetes and Google's own pods, at a guess."""


def check(settings: Settings, problems: Problems) -> None:
    """Report values that are valid, but not together."""
    _counts(settings, problems)
    _discovery_speaks_version(settings, problems)
    _names(settings, problems)
    _memory_holds_the_log(settings, problems)
    if settings.gke.create:
        _no_second_cluster(settings, problems)
        _image_for_the_nodes(settings, problems)
        _reachable_discovery(settings, problems)
        _durable(settings, problems)
        _room_on_the_node(settings, problems)
        _disks(settings, problems)


def warnings(settings: Settings) -> tuple[str, ...]:
    """What is allowed, but better known before it is relied on."""
    return (
        *_public_discovery(settings),
        *_crowded_nodes(settings),
        *_full_nodes(settings),
        *_open_nodes(settings),
        *_open_load_balancer(settings),
    )


def _open_nodes(settings: Settings) -> tuple[str, ...]:
    if settings.service.type != "NodePort":
        return ()
    return (
        "etcd:service.type is NodePort: whoever reaches a node can read and write every key, since "
        "there are no client certificates yet. "
        f"Next: {set_value('service.type', 'ClusterIP')}, or a firewall in front of the nodes",
    )


def _open_load_balancer(settings: Settings) -> tuple[str, ...]:
    """Where the cluster is made here, the cloud is one that knows what is asked of it."""
    service = settings.service
    if service.type != "LoadBalancer" or service.source_ranges or settings.gke.create:
        return ()
    return (
        "etcd:service.type is LoadBalancer, and service.sourceRanges is empty: on a cloud that "
        "does not know the annotations by which Google, Amazon, Azure, Oracle and OpenStack are "
        "asked for an internal address, its address is public, and whoever reaches it can read "
        "and write every key, since there are no client certificates yet. "
        f"Next: {set_value('service.sourceRanges[0]', '10.0.0.0/8')}, or the range of your clients",
    )


def _public_discovery(settings: Settings) -> tuple[str, ...]:
    url = settings.discovery.url
    if settings.discovery.mode == "v2" and url and urlsplit(url).hostname == _PUBLIC_DISCOVERY:
        return (
            f"etcd:discovery.url asks {_PUBLIC_DISCOVERY}, a public service that was down for days "
            "in 2026 and has no owner. Whoever learns the token can take part in the bootstrap. "
            f"Next: {set_value('discovery.mode', 'inCluster')}",
        )
    return ()


def _crowded_nodes(settings: Settings) -> tuple[str, ...]:
    gke, units = settings.gke, settings.units.count
    if not gke.create or gke.autopilot or units == 1:
        return ()
    together = -(-units // gke.node_count)
    if together <= (units - 1) // 2:
        return ()
    return (
        f"etcd:gke.nodeCount is {gke.node_count}, and units.count {units}: the loss of one node "
        "takes so many members that writes stop. "
        f"Next: {set_value('gke.nodeCount', str(3 if units <= 3 else 6))}",
    )


def _full_nodes(settings: Settings) -> tuple[str, ...]:
    """At the handover, when units, seeds and the discovery service run side by side."""
    gke, units, seeds = settings.gke, settings.units, settings.seeds
    if not gke.create or gke.cores is None:
        return ()
    each = 1000 * gke.cores - _RESERVED
    room = gke.node_count * each
    helpers = (seeds.count + 1) * milli_cores(seeds.cpu)
    wanted = units.count * milli_cores(units.cpu) + helpers
    if wanted <= room:
        return ()
    fits = min(each, (room - helpers) // units.count)
    way_out = set_value("units.cpu", f"{fits}m") if fits >= 100 else set_value("seeds.cpu", "50m")
    return (
        f"etcd:gke.nodeCount is {gke.node_count}, and gke.machineType {gke.machine_type}: beside "
        f"Google's own pods there is room for about {room / 1000:g} cores, and at the handover "
        f"members request {wanted / 1000:g}, so that some of them may wait for ever. "
        f"Next: {way_out}, or more or larger nodes",
    )


def _counts(settings: Settings, problems: Problems) -> None:
    seeds, units = settings.seeds.count, settings.units.count
    if problems.none_at("seeds.count", "units.count") and units < seeds:
        problems.add(
            "units.count",
            units,
            f"allowed: seeds.count ({seeds}) or more, so that the units can replace the seeds "
            "(which matters until the handover alone: for a cluster that is there, lower it too)",
            set_value("units.count", str(seeds)),
        )


def _discovery_speaks_version(settings: Settings, problems: Problems) -> None:
    if not problems.none_at("etcd.version", "discovery.mode"):
        return
    version, minor, mode = settings.etcd.version, settings.etcd.minor, settings.discovery.mode
    if mode == "v2" and minor >= (3, 7):
        problems.add(
            "discovery.mode",
            mode,
            f"allowed: inCluster, v3 with etcd.version {version}; etcd 3.7 has no v2 discovery",
            set_value("discovery.mode", "inCluster"),
        )
    if mode != "v2" and minor < (3, 6):
        problems.add(
            "discovery.mode",
            mode,
            f"allowed: v2 with etcd.version {version}; seeds of etcd 3.5 know only v2 discovery",
            f"{set_value('etcd.version', DEFAULT_VERSION)} (or set discovery.mode v2 and "
            "discovery.url)",
        )


def _names(settings: Settings, problems: Problems) -> None:
    if not problems.none_at("etcd.name", "service.name"):
        return
    name, service = settings.etcd.name, settings.service.name
    taken = [f"{name}-{suffix}" for suffix in ("peer", "seed", "discovery")]
    if service in taken:
        problems.add(
            "service.name",
            service,
            f"allowed: any name but {', '.join(taken)}, which belong to other objects of etcd.name "
            f"{name}",
            set_value("service.name", name),
        )


def _memory_holds_the_log(settings: Settings, problems: Problems) -> None:
    """The files of the write-ahead log that etcd always keeps take up to 384 MiB there, and etcd
    itself needs some."""
    valid = problems.none_at("storage.kind", "units.memory")
    least = "768Mi"
    memory = settings.units.memory
    if valid and settings.storage.kind == "memory" and size_bytes(memory) < size_bytes(least):
        problems.add(
            "units.memory",
            memory,
            f"allowed: {least} or more with storage.kind memory, where etcd's data takes of it",
            set_value("units.memory", "1Gi"),
        )


def _no_second_cluster(settings: Settings, problems: Problems) -> None:
    kubernetes = settings.kubernetes
    for key, value in (("context", kubernetes.context), ("kubeconfig", kubernetes.kubeconfig)):
        if value is not None:
            problems.add(
                f"kubernetes.{key}",
                value,
                "allowed: null with gke.create, which makes the cluster to deploy into",
                remove_value(f"kubernetes.{key}"),
            )
    domain = kubernetes.cluster_domain
    if domain != _GKE_DOMAIN and problems.none_at("kubernetes.clusterDomain"):
        problems.add(
            "kubernetes.clusterDomain",
            domain,
            f"allowed: {_GKE_DOMAIN} with gke.create, since that is GKE's",
            remove_value("kubernetes.clusterDomain"),
        )


def _image_for_the_nodes(settings: Settings, problems: Problems) -> None:
    image, gke = settings.image, settings.gke
    if image.pull_secrets and problems.none_at("image.pullSecrets"):
        problems.add(
            "image.pullSecrets",
            list(image.pull_secrets),
            "allowed: [] with gke.create, where nothing can be in the namespace before the pods; "
            "the nodes pull as an account of their own, which may be let read other registries",
            remove_value("image.pullSecrets"),
        )
    if not image.build and image.registry is None and problems.none_at("image.registry"):
        problems.say(
            "image.registry",
            "is not set; image.build is false, and the registry that gke.create makes is empty at "
            "first; allowed: the registry that has the image",
            set_value("image.registry", "REGION-docker.pkg.dev/PROJECT/REPOSITORY"),
        )
    if not problems.none_at("image.platform", "gke.machineType"):
        return
    if image.platform != gke.platform:
        problems.add(
            "image.platform",
            image.platform,
            f"allowed: {gke.platform} with gke.machineType {gke.machine_type}",
            set_value("image.platform", gke.platform),
        )


def _reachable_discovery(settings: Settings, problems: Problems) -> None:
    mode = settings.discovery.mode
    if mode != "inCluster" and problems.none_at("discovery.mode"):
        problems.add(
            "discovery.mode",
            mode,
            "allowed: inCluster with gke.create, whose network is new and leads nowhere else "
            "(so etcd.version is 3.6 or newer)",
            set_value("discovery.mode", "inCluster"),
        )


def _durable(settings: Settings, problems: Problems) -> None:
    kind = settings.storage.kind
    valid = problems.none_at("storage.kind", "gke.deletionProtection")
    if valid and settings.gke.deletion_protection and kind != "persistent":
        problems.add(
            "storage.kind",
            kind,
            "allowed: persistent with gke.deletionProtection, which marks a cluster whose data "
            "matters",
            set_value("storage.kind", "persistent"),
        )


def _room_on_the_node(settings: Settings, problems: Problems) -> None:
    """Autopilot gives a container 1 GiB of its node's disk, and evicts a pod that takes more.

    All members are as large: they would go together, and the data with them
    (https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-resource-requests).
    """
    kind = settings.storage.kind
    valid = problems.none_at("storage.kind", "gke.autopilot")
    if valid and settings.gke.autopilot and kind == "ephemeral":
        problems.add(
            "storage.kind",
            kind,
            "allowed: persistent or memory with gke.autopilot, whose nodes evict a pod that takes "
            "more than 1 GiB of their disk",
            set_value("storage.kind", "persistent"),
        )


def _disks(settings: Settings, problems: Problems) -> None:
    """Nodes can attach the volumes that are made for them."""
    gke, storage = settings.gke, settings.storage
    own = storage.class_name is None and storage.kind == "persistent"
    checked = problems.none_at("gke.machineType", "storage.className", "storage.kind")
    if checked and own and gke.hyperdisk_only:
        problems.add(
            "gke.machineType",
            gke.machine_type,
            f"allowed: a family that takes persistent disks, not {', '.join(HYPERDISK_ONLY)} "
            "(these too, with a class for Hyperdisk in storage.className)",
            set_value("gke.machineType", "n2d-standard-2"),
        )
