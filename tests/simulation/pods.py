"""The pods of a simulated cluster, and the StatefulSets behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from containers.etcd.supervisor.membership import History
from containers.etcd.supervisor.rules import Disk
from tests.support.views import url

UNITS, SEEDS = "etcd", "etcd-seed"
FAILED_PROBES = 3
"""In a row, a second apart, before Kubernetes calls a pod not ready."""


class Defect(Enum):
    """What keeps all pods of a template from starting."""

    NONE = "none"
    KNOWN = "known"
    """Kubernetes says so, as of an image that cannot be pulled."""
    SILENT = "silent"
    """Something runs, and that is all that Kubernetes knows."""


@dataclass
class Pod:
    """A pod, its process and its disk."""

    workload: str
    ordinal: int
    up: bool = False
    etcd: bool = False
    resting: bool = False
    """Ended in this second or the last: no process is back before everybody has looked once."""
    reachable: bool = True
    stopping: bool = False
    template: int = 0
    """What it was made from."""
    defect: Defect = Defect.NONE
    """Of that."""
    serving: bool = False
    """Of a seed: whether the client Service selects it."""
    disk: Disk = field(default_factory=lambda: Disk(data=False))
    log: int = 0
    """The last write on its disk."""
    history: History = field(default_factory=History)
    """What its supervisor has seen."""
    ended: bool = False
    """Whether etcd has ended by itself with 0 and was not started since then."""
    looked_at: float = 0.0
    """When that last looked at the cluster."""
    healthy_for: int = 0
    """Steps of real health, whatever anybody has seen."""
    ready: bool = False
    """As Kubernetes has it, which takes readiness away late."""
    sick_for: int = 0

    @cached_property
    def name(self) -> str:
        return f"{self.workload}-{self.ordinal}"

    @cached_property
    def peer_url(self) -> str:
        return url(self.name)

    def come(self, template: int, defect: Defect = Defect.NONE) -> None:
        """The pod is recreated, on the disk that it had."""
        self.up, self.template, self.history = True, template, History()
        self.defect = defect

    def end(self) -> None:
        """The pod is gone; its disk stays."""
        self.up = self.stopping = self.ready = False
        self.ended = False
        self.end_etcd()

    def note_health(self, is_well: bool, *, votes: bool) -> None:
        self.healthy_for = self.healthy_for + 1 if is_well else 0
        self.sick_for = 0 if is_well else self.sick_for + 1
        if is_well and votes:
            self.ready = True
        elif self.sick_for >= FAILED_PROBES:
            self.ready = False

    def end_etcd(self) -> None:
        self.etcd, self.resting = False, True

    def lose_disk(self) -> None:
        self.disk, self.log, self.ended = Disk(data=False), 0, False


@dataclass
class Kubernetes:
    """The units' StatefulSet, as far as anybody asks for it."""

    replicas: int
    leaving: int | None = None
    """The ordinal that is announced as leaving."""
    template: int = 0
    """The declared one. Only a pod that is recreated gets it (OnDelete)."""
    defect: Defect = Defect.NONE
    """Of the declared template."""
    answers: bool = True

    def wanted(self, unit: Pod) -> bool | None:
        if not self.answers:
            return None
        return unit.ordinal < self.replicas and unit.ordinal != self.leaving

    def returns(self, pod: Pod) -> bool:
        """Whether another comes in its place when it ends."""
        return pod.workload == SEEDS or pod.ordinal < self.replicas
