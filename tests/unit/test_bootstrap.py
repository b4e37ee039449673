"""What a birth waits for, and when nothing more can come."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kubernetes.client import ApiException

from components.birth import bootstrap
from components.birth.bootstrap import not_lost, run_seeds
from components.birth.tokens import Token
from components.kube.client import Kube
from components.kube.errors import ExecError
from components.names import GATE
from components.progress import Progress, SequenceError, Unmet
from components.site import Site
from tests.support.dead_node import OnADeadNode
from tests.support.namespace import PAUSES, Namespace, pod

WAITS = Unmet("1 of 3 seeds answer as voters")


RUN = {"etcd-seed-0": "uid-of-etcd-seed-0", "etcd-discovery-0": "uid-of-etcd-discovery-0"}
"""What runs when discovery begins."""


def another(name: str) -> Any:
    """What Kubernetes makes in the place of a pod."""
    found = pod(name, gated=True)
    found.metadata.uid = "another"
    return found


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(RUN, id="all are there"),
        pytest.param({"etcd-seed-0": "uid-of-etcd-seed-0"}, id="the service is somebody else's"),
    ],
)
def test_what_may_still_come_is_waited_for(run: dict[str, str]) -> None:
    there = Namespace(pods=[pod(name) for name in run])
    assert not_lost(there, run, WAITS) is WAITS


@pytest.mark.parametrize("place", [[], [another("etcd-discovery-0")]], ids=["gone", "recreated"])
def test_a_lost_discovery_service_ends_the_wait(place: list[Any]) -> None:
    with pytest.raises(SequenceError) as failure:
        not_lost(Namespace(pods=[pod("etcd-seed-0"), *place]), RUN, WAITS)
    assert "the discovery service's pod was lost" in failure.value.problem
    assert "new token" in failure.value.next_step


@pytest.mark.parametrize("place", [[], [another("etcd-seed-0")]], ids=["gone", "recreated"])
def test_a_lost_seed_ends_the_wait(place: list[Any]) -> None:
    with pytest.raises(
        SequenceError, match=r"lost before the cluster .*: etcd-seed-0\n"
    ) as failure:
        not_lost(Namespace(pods=[pod("etcd-discovery-0"), *place]), RUN, WAITS)
    assert "new token" in failure.value.next_step


def test_a_cluster_that_has_formed_needs_no_discovery_service_any_more() -> None:
    assert not_lost(Namespace(pods=[]), RUN, True) is True


def test_a_held_pod_that_goes_before_it_is_let_start_ends_no_sequence() -> None:
    def refuse(pod: str, namespace: str, body: Any) -> None:
        raise ApiException(status=404 if pod == "gone" else 403)

    kube = Kube.__new__(Kube)
    kube.site = cast(Site, SimpleNamespace(namespace="etcd"))
    kube.core = SimpleNamespace(patch_namespaced_pod=refuse)
    held = {
        name: SimpleNamespace(
            metadata=SimpleNamespace(name=name),
            spec=SimpleNamespace(scheduling_gates=[SimpleNamespace(name=GATE)]),
        )
        for name in ("gone", "forbidden")
    }
    kube.release([held["gone"]])
    with pytest.raises(ApiException):
        kube.release([held["forbidden"]])


@pytest.mark.parametrize(
    ("runs", "protocol", "waits_for"),
    [
        pytest.param(False, "v3", "pods of the bootstrap", id="pods do not run"),
        pytest.param(True, "v3", "the discovery service", id="no discovery service answers"),
        pytest.param(True, "v2", "the seeds to form a cluster", id="no cluster forms"),
    ],
)
def test_whoever_waits_for_a_seed_is_told_that_its_node_is_gone(
    runs: bool, protocol: str, waits_for: str
) -> None:
    token = Token(protocol, "t", "http://etcd-discovery:2379")
    with pytest.raises(SequenceError) as failure:
        run_seeds(OnADeadNode(runs=runs), token, 2, Progress("discovery", -1), own=True)
    assert f"waiting for {waits_for}: " in failure.value.problem
    assert "etcd-seed-1: " in failure.value.problem
    assert "its node node-of-etcd-seed-1 is gone" in failure.value.problem
    assert "its node node-of-etcd-seed-0" not in failure.value.problem


class Held(Namespace):
    """Seeds that are held; of the template that was the newest when they were made."""

    def __init__(self, made_of: str, newest: str | None) -> None:
        held = pod("etcd-seed-0", gated=True)
        held.metadata.labels = {"controller-revision-hash": made_of}
        super().__init__(pods=[held], newest=newest)

    def scale(self, stateful_set: str, replicas: int) -> None: ...

    def refusal(self, stateful_set: str) -> str:
        return ""


@pytest.mark.parametrize(
    ("held", "released", "renewed"),
    [
        pytest.param(Held("r2", "r2"), ["etcd-seed-0"], [], id="of the newest template"),
        pytest.param(Held("r1", "r2"), [], ["etcd-seed-0"], id="of an older one"),
        pytest.param(Held("r1", None), [], [], id="Kubernetes has not come to the newest"),
    ],
)
def test_only_seeds_of_the_newest_template_are_let_start(
    held: Held, released: list[str], renewed: list[str]
) -> None:
    """They may have been held since an `up` with other settings, which came to no seeds."""
    token = Token("v2", "t", "http://discovery.example.com")
    with pytest.raises(SequenceError, match="waiting for pods of the bootstrap"):
        run_seeds(held, token, 1, Progress("discovery", -1), own=False)
    assert (held.released, held.renewed) == (released, renewed)


@pytest.mark.parametrize(
    ("newest", "renewed"),
    [
        pytest.param("r2", ["etcd-0"], id="of an older template"),
        pytest.param("r1", [], id="of the newest"),
        pytest.param(None, [], id="Kubernetes has not come to it"),
    ],
)
def test_units_give_seeds_the_room_that_a_corrected_template_leaves(
    newest: str | None, renewed: list[str]
) -> None:
    """They run, and wait for a cluster: nothing else would recreate them before there is one."""
    held = Held("r2", "r2")
    seed = pod("etcd-seed-0", waiting="ContainerCreating")
    held.found = [seed, pod("etcd-0"), pod("etcd-1", ending=True)]
    for unit in held.found[1:]:
        unit.metadata.labels = {"controller-revision-hash": "r1"}
    held.newest = newest
    token = Token("v2", "t", "http://discovery.example.com")
    with pytest.raises(SequenceError, match="waiting for pods of the bootstrap"):
        run_seeds(held, token, 1, Progress("discovery", -1), own=False)
    assert held.renewed == renewed


class Overtaken(Held):
    """Whose token another run has exchanged: its cluster is born, and the units have data."""

    def __init__(self) -> None:
        super().__init__("r2", "r2")
        unit = pod("etcd-0", template="r1")
        self.found = [*self.found, pod("etcd-seed-1", waiting="ContainerCreating"), unit]

    def write_secret(self, name: str, data: Mapping[str, str]) -> None:
        super().write_secret(name, {**data, "token": "of another run"})


def test_a_birth_that_was_overtaken_lets_nobody_start_and_recreates_nobody() -> None:
    kube, token = Overtaken(), Token("v2", "t", "http://discovery.example.com")
    with pytest.raises(SequenceError, match="another pulumi up has begun a birth of its own"):
        run_seeds(kube, token, 2, Progress("discovery", -1), own=False)
    assert (kube.released, kube.renewed) == ([], [])


@pytest.mark.parametrize(
    ("patience", "told"),
    [
        pytest.param(0, "; etcd-discovery-0: etcd ended with 1; starting again", id="for long"),
        pytest.param(60, "", id="it may have just started"),
    ],
)
def test_a_discovery_service_that_does_not_answer_tells_why(
    patience: float, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "PATIENT_SECONDS", patience)
    held = Held("r2", "r2")
    held.found = [pod("etcd-seed-0", ready=True), pod("etcd-discovery-0", ready=True)]
    held.statuses["etcd-discovery-0"] = [PAUSES]
    held.answers["put"] = [ExecError("context deadline exceeded")]
    token = Token("v3", "t", "http://etcd-discovery:2379")
    with pytest.raises(SequenceError) as failure:
        run_seeds(held, token, 1, Progress("discovery", -1), own=True)
    assert failure.value.problem.endswith(f"context deadline exceeded{told}")
