"""What a stack can set, as plain values. Defaults and rules: `components.settings.etcd`, `gke` and
`groups`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PullPolicy = Literal["IfNotPresent", "Always", "Never"]
Platform = Literal["linux/amd64", "linux/arm64"]
LogLevel = Literal["debug", "info", "warn", "error", "panic", "fatal"]
DiscoveryMode = Literal["inCluster", "v3", "v2"]
ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]
StorageKind = Literal["persistent", "ephemeral", "memory"]
Channel = Literal["RAPID", "REGULAR", "STABLE"]

HYPERDISK_ONLY = ("c4", "c4a", "c4d", "n4", "n4a", "n4d")
"""Machine families that take no persistent disks (Google: Hyperdisk, machine type support)."""

ARM = ("a4x", "c4a", "n4a", "t2a")
"""Machine families with Arm processors (Google: Arm VMs on Compute)."""

_SAYS_CORES = re.compile(r"[a-z0-9]+-(?:standard|highmem|highcpu)-([0-9]+)(?:-lssd)?")
"""Machine types whose name says how many cores they have (Google: machine families)."""

ZONES = 3
"""Of a regional GKE cluster's nodes, where it has any choice."""


@dataclass(frozen=True)
class ImageSettings:
    """The one image of all roles."""

    build: bool
    """False: take `registry/repository@digest` as it is; Docker is not asked at all."""
    context: str
    """Folder of the Dockerfile, relative to the project."""
    etcd_base: str
    """Where etcd, etcdctl and etcdutl come from. `:v<etcd.version>` belongs behind it, unless it
    has a tag or digest of its own."""
    python_base: str
    """What the image runs on."""
    registry: str | None
    """Host, with port and path if it has them; no scheme. Pods pull from here only. None, which
    needs `gke.create`: the program makes one."""
    repository: str
    tag: str | None
    """None: the program chooses. Pods get the digest in any case."""
    digest: str | None
    """`sha256:...`. Set exactly when `build` is false."""
    pull_policy: PullPolicy
    pull_secrets: tuple[str, ...]
    """Secrets of the namespace by which the nodes log in to the registry. The program makes none:
    a password in it would be in the state."""
    platform: Platform


@dataclass(frozen=True)
class KubernetesSettings:
    """The cluster to deploy into."""

    kubeconfig: str | None
    """Path. None: $KUBECONFIG, else kubectl's default place."""
    context: str | None
    """Named in the stack: the ambient current-context changes under one's hands. None exactly when
    `gke.create` makes the cluster."""
    namespace: str
    cluster_domain: str
    """Suffix of the cluster's DNS names, without dots at the ends."""


@dataclass(frozen=True)
class GkeSettings:
    """The GKE cluster that the program makes. Without `create` none of it is used."""

    create: bool
    project: str | None
    """Set when `create` is."""
    region: str
    zone: str | None
    """Set: a zonal cluster. None: three control planes, nodes in three zones of the region."""
    cluster_name: str | None
    """Set when `create` is."""
    node_count: int
    """In total; over three zones in a regional cluster, so a multiple of three."""
    machine_type: str
    channel: Channel
    deletion_protection: bool
    autopilot: bool
    """Google runs the nodes; then `node_count` and `machine_type` mean nothing."""
    authorized_networks: tuple[str, ...]
    """Empty: the control plane has a DNS endpoint only. Else a public address for these CIDRs."""
    kms_key: str | None
    """Of Cloud KMS: encrypts Secrets, disks and the registry."""
    labels: Mapping[str, str]
    """Of Google's resources, for bills and searches."""
    maintenance_start: str
    """`HH:MM`, UTC: upgrades come within four hours from then."""

    @property
    def location(self) -> str:
        """Where the cluster is: its zone, or its region."""
        return self.zone or self.region

    @property
    def nodes_per_zone(self) -> int:
        """GKE counts the nodes of a regional pool per zone."""
        return self.node_count if self.zone else self.node_count // ZONES

    @property
    def hyperdisk_only(self) -> bool:
        """Whether the nodes take no persistent disks."""
        return self.machine_type.partition("-")[0] in HYPERDISK_ONLY and not self.autopilot

    @property
    def platform(self) -> Platform:
        """Whose images the nodes run. Autopilot's are Arm only for pods that ask for it."""
        arm = self.machine_type.partition("-")[0] in ARM and not self.autopilot
        return "linux/arm64" if arm else "linux/amd64"

    @property
    def cores(self) -> int | None:
        """Of one node; None where the machine type does not tell, or Google chooses it."""
        found = _SAYS_CORES.fullmatch(self.machine_type)
        return int(found[1]) if found and not self.autopilot else None

    @property
    def context(self) -> str:
        """The name that `gcloud container clusters get-credentials` gives the context too."""
        return f"gke_{self.project}_{self.location}_{self.cluster_name}"

    @property
    def path(self) -> str:
        """Google's own name for the cluster."""
        return f"projects/{self.project}/locations/{self.location}/clusters/{self.cluster_name}"


@dataclass(frozen=True)
class EnvVar:
    """One environment variable of the etcd container."""

    name: str
    value: str


@dataclass(frozen=True)
class EtcdSettings:
    """The members: seeds, units and the discovery service."""

    version: str
    """`major.minor.patch`, the single source of the version."""
    name: str
    """Prefix of every Kubernetes name."""
    component: str
    """Label app.kubernetes.io/component."""
    client_port: int
    peer_port: int
    metrics_port: int
    """etcd's metrics and health, without client certificates."""
    health_port: int
    """The supervisor's answers to the probes."""
    log_level: LogLevel
    labels: Mapping[str, str]
    """On every object, never part of a selector."""
    extra_env: tuple[EnvVar, ...]
    """None of them is a variable that the program sets itself."""

    @property
    def minor(self) -> tuple[int, int]:
        """The release line, such as (3, 6)."""
        major, minor, _ = self.version.split(".")
        return int(major), int(minor)


@dataclass(frozen=True)
class DiscoverySettings:
    """How the seeds find each other, once."""

    mode: DiscoveryMode
    url: str | None
    """None exactly for `inCluster`. v2: the address that hands out tokens, ending in /new.
    v3: client URLs of an etcd, separated by commas."""


@dataclass(frozen=True)
class SeedsSettings:
    """The members that bootstrap the cluster and leave at the handover."""

    count: int
    """Odd, 1 to 7."""
    cpu: str
    """Request, as Kubernetes writes it: `100m`, `2`."""
    memory: str
    """Request and limit, as Kubernetes writes it: `512Mi`."""


@dataclass(frozen=True)
class UnitsSettings:
    """The members that stay."""

    count: int
    """Odd, 1 to 7, not below `seeds.count`: only then can the units replace the seeds."""
    min_tolerance: int
    """Members that may fail at every step of a planned change without stopping writes; -1: a change
    may stop them. At most what `count` voters tolerate."""
    cpu: str
    """Request."""
    memory: str
    """Request and limit."""
    node_selector: Mapping[str, str]
    """These three hold for seeds too."""
    tolerations: tuple[Mapping[str, object], ...]
    """As in a pod's spec."""
    affinity: Mapping[str, object]
    """As in a pod's spec. Not empty: replaces the built-in spread over zones and hosts."""


@dataclass(frozen=True)
class ServiceSettings:
    """The clients' stable address."""

    name: str
    type: ServiceType
    internal: bool
    """LoadBalancer: an address inside the provider's network only."""
    source_ranges: tuple[str, ...]
    """LoadBalancer: CIDRs that may connect. Empty: all that reach the address."""


@dataclass(frozen=True)
class StorageSettings:
    """Where units keep their data."""

    kind: StorageKind
    """persistent: a volume each. ephemeral: the node's disk. memory: tmpfs, inside the memory
    limit, for units (seeds keep to the node's disk). The last two lose a member's data with its
    pod."""
    size: str
    """Of one volume, as Kubernetes writes it: `20Gi`."""
    class_name: str | None
    """None: the cluster's default StorageClass."""
    retain: bool
    """Keep volumes on destroy and on scale-down."""


@dataclass(frozen=True)
class HandoverSettings:
    """The passage from seeds to units."""

    timeout_seconds: int
    """Deadline of each sequence, as a whole: birth, handover, change of the count, rolling
    change."""


@dataclass(frozen=True)
class Settings:
    """The checked configuration of one stack."""

    image: ImageSettings
    gke: GkeSettings
    kubernetes: KubernetesSettings
    etcd: EtcdSettings
    discovery: DiscoverySettings
    seeds: SeedsSettings
    units: UnitsSettings
    service: ServiceSettings
    storage: StorageSettings
    handover: HandoverSettings
    warnings: tuple[str, ...]
    """Allowed, but a human should know. Complete sentences."""

    @property
    def context(self) -> str:
        """Of the cluster that is made, or of the one that is there."""
        return self.kubernetes.context or self.gke.context
