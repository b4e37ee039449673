"""What becomes of seeds whose pods are recreated while the handover goes on. Stands in for
Kubernetes: three seeds, and units that do not come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from components.change import handover, loop
from components.kube.client import Kube
from components.kube.errors import ExecError
from components.names import GATE
from components.progress import SequenceError
from components.site import Site
from tests.support.dynamic import SITE
from tests.support.namespace import event

NOW = datetime.now(UTC)
LABELS = {"controller-revision-hash": "r2"}
SEEDS = [f"etcd-seed-{i}" for i in range(3)]
MEMBERS: list[dict[str, Any]] = [
    {
        "ID": i + 1,
        "name": seed,
        "peerURLs": [f"http://{seed}.etcd-peer:2380"],
        "clientURLs": [f"http://{seed}.etcd-peer:2379"],
    }
    for i, seed in enumerate(SEEDS)
]
STATUSES = [
    {
        "Endpoint": member["clientURLs"][0],
        "Status": {
            "header": {"cluster_id": 31, "member_id": member["ID"], "revision": 7, "raft_term": 2},
            "version": "3.6.14",
            "leader": 1,
            "raftIndex": 9,
            "raftAppliedIndex": 9,
            "raftTerm": 2,
        },
    }
    for member in MEMBERS
]
ANSWERS = {
    "get": "b",
    "list": json.dumps({"header": {"cluster_id": 31}, "members": MEMBERS}),
    "status": json.dumps(STATUSES),
}
ACCEPTED = {"token": "t", "accepted": " ".join([f"claim-of-{s}" for s in SEEDS] + ["pod-1"])}


def pod(name: str, *, gated: bool = False, uid: str = "pod-2", node: str | None = None) -> Any:
    """`node`: where it is and not ready; it is ready where no node is named."""
    ready = SimpleNamespace(
        type="Ready", status=str(node is None), last_transition_time=NOW, reason=None
    )
    state = SimpleNamespace(running=object(), waiting=None)
    return SimpleNamespace(
        metadata=SimpleNamespace(
            name=name,
            uid=uid,
            creation_timestamp=NOW,
            deletion_timestamp=None,
            labels=LABELS,
        ),
        spec=SimpleNamespace(
            node_name=node,
            scheduling_gates=[SimpleNamespace(name=GATE)] if gated else None,
            volumes=None,
        ),
        status=SimpleNamespace(
            phase="Pending" if gated else "Running",
            conditions=[] if gated else [ready],
            init_container_statuses=None,
            container_statuses=[]
            if gated
            else [
                SimpleNamespace(
                    name="etcd",
                    state=state,
                    ready=True,
                    restart_count=0,
                    last_state=SimpleNamespace(terminated=None),
                )
            ],
        ),
    )


def claim(pod: str, uid: str | None = None, *, ending: bool = False) -> Any:
    metadata = SimpleNamespace(
        name=f"data-{pod}",
        uid=uid or f"claim-of-{pod}",
        annotations={},
        deletion_timestamp=NOW if ending else None,
    )
    return SimpleNamespace(metadata=metadata)


class Namespace(Kube):
    def __init__(
        self,
        seeds: Sequence[Any],
        claims: Sequence[Any] = (),
        secret: dict[str, str] = ACCEPTED,
        *,
        answers: bool = True,
    ) -> None:
        self.site = Site(**SITE)
        self.seeds, self.claims, self.secret, self.answers = seeds, claims, secret, answers
        self.released: list[str] = []
        self.asked: list[str] = []
        self.said: list[Any] = []
        self.ended: list[str] = []

    def delete_pod(self, pod: Any) -> None:
        self.ended.append(pod.metadata.name)

    def events(self, selector: str) -> list[Any]:
        return self.said

    def pods_and_time(self) -> tuple[list[Any], datetime]:
        return list(self.seeds), NOW

    def pods(self, stateful_set: str) -> list[Any]:
        return [p for p in self.seeds if p.metadata.name.rpartition("-")[0] == stateful_set]

    def volumes(self, stateful_set: str) -> list[Any]:
        self.asked.append(f"volumes of {stateful_set}")
        return list(self.claims) if stateful_set == "etcd-seed" else []

    def read_secret(self, name: str) -> dict[str, str]:
        self.asked.append(f"secret {name}")
        return self.secret

    def release(self, pods: Any) -> None:
        self.released += [p.metadata.name for p in pods if p.spec.scheduling_gates]

    def stateful_set(self, name: str) -> Any:
        metadata = SimpleNamespace(annotations={})
        return SimpleNamespace(
            spec=SimpleNamespace(replicas=3),
            metadata=metadata,
        )

    def newest_revision(self, stateful_set: str) -> str:
        return "r2"

    def refusal(self, stateful_set: str) -> str:
        return ""

    def _node_problem(self, name: str) -> str | None:
        return f"node {name} is gone"

    def exec(self, pod: str, *command: str, seconds: float = 10.0) -> str:
        if not self.answers:
            raise ExecError("no answer")
        return ANSWERS[next(word for word in command if word in ANSWERS)]


def handed_over(kube: Namespace, monkeypatch: pytest.MonkeyPatch) -> str:
    """Why it has failed, after one look at the pods: no unit comes."""
    monkeypatch.setattr(handover, "Kube", lambda *_arguments: kube)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(loop, "LOOK_SECONDS", -1)
    props = {"kubeconfig": "", "units": 3, "cluster_id": "1f", "birth": "b", "timeout_seconds": -1}
    with pytest.raises(SequenceError) as failure:
        handover.hand_over(kube.site, props)
    return failure.value.problem


ALL_CLAIMS = [claim(seed) for seed in SEEDS]


@pytest.mark.parametrize("answers", [True, False], ids=["etcd answers", "no quorum"])
def test_seeds_that_come_back_to_the_clusters_data_are_let_start(
    answers: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = [pod(SEEDS[0], uid="pod-1"), *(pod(seed, gated=True) for seed in SEEDS[1:])]
    kube = Namespace(seeds, ALL_CLAIMS, answers=answers)
    problem = handed_over(kube, monkeypatch)
    assert kube.released == SEEDS[1:]
    assert "held" not in problem
    assert (
        f"seed {SEEDS[2]} is back on its data: its scheduling gate is removed"
        in capsys.readouterr().out
    )


def beside_a_unit_without_its_image() -> Namespace:
    unit = pod("etcd-0", node="a")
    waiting = SimpleNamespace(reason="ImagePullBackOff", message="no such image")
    unit.status.container_statuses[0].state = SimpleNamespace(running=None, waiting=waiting)
    kube = Namespace([unit, pod(SEEDS[0], gated=True)], ALL_CLAIMS, answers=False)
    kube.said = [event("etcd-0", "Failed to pull image", count=2)]
    kube.said[0].involved_object.uid = unit.metadata.uid
    return kube


def test_a_unit_that_cannot_start_keeps_no_seed_from_coming_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kube = beside_a_unit_without_its_image()
    assert "pod etcd-0: ImagePullBackOff" in handed_over(kube, monkeypatch)
    assert (kube.released, kube.ended) == (SEEDS[:1], [])


def test_a_unit_that_an_earlier_up_has_left_without_its_image_is_pulled_for_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kube = beside_a_unit_without_its_image()
    kube.seeds[0].metadata.creation_timestamp = NOW - timedelta(minutes=5)
    assert handed_over(kube, monkeypatch).startswith("not balanced after")
    assert kube.ended == ["etcd-0"]


def test_a_pull_that_has_failed_once_ends_no_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = pod("etcd-0", node="a")
    waiting = SimpleNamespace(reason="ErrImagePull", message="too many requests")
    unit.status.container_statuses[0].state = SimpleNamespace(running=None, waiting=waiting)
    kube = Namespace([unit, *(pod(seed) for seed in SEEDS)], ALL_CLAIMS)
    problem = handed_over(kube, monkeypatch)
    assert problem.startswith("not balanced after")
    assert "etcd-0: ErrImagePull" in problem


def test_a_unit_that_leaves_and_does_not_end_is_named_with_its_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unit = pod("etcd-3", node="a")
    unit.metadata.deletion_timestamp = NOW - timedelta(minutes=5)
    kube = Namespace([unit, *(pod(seed) for seed in SEEDS)], ALL_CLAIMS)
    problem = handed_over(kube, monkeypatch)
    assert "etcd-3: ending since" in problem
    assert "its node a is gone" in problem


NEW = "etcd-seed-1: scheduling gate kept, since its disk is new"


@pytest.mark.parametrize("answers", [True, False], ids=["etcd answers", "no quorum"])
@pytest.mark.parametrize(
    ("claims", "secret", "said"),
    [
        pytest.param([], ACCEPTED, NEW, id="in memory"),
        pytest.param([claim(SEEDS[1], "new")], ACCEPTED, NEW, id="on another claim"),
        pytest.param([claim(SEEDS[1], ending=True)], ACCEPTED, NEW, id="on a claim that goes"),
        pytest.param(
            [claim(SEEDS[1], "new"), *ALL_CLAIMS[::2]], ACCEPTED, NEW, id="beside good claims"
        ),
        pytest.param(
            ALL_CLAIMS,
            {},
            "etcd-seed-1: scheduling gate kept, since nothing says whose its disk is",
            id="no Secret",
        ),
    ],
)
def test_a_seed_on_another_disk_stays_held_and_is_named(
    claims: Sequence[Any],
    secret: dict[str, str],
    said: str,
    answers: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seeds = [pod(SEEDS[0]), pod(SEEDS[1], gated=True), pod(SEEDS[2])]
    kube = Namespace(seeds, claims, secret, answers=answers)
    assert f"; {said}" in handed_over(kube, monkeypatch)
    assert kube.released == []


def test_the_troubles_of_seeds_are_told_beside_those_of_the_units(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kube = Namespace([pod(SEEDS[0]), pod(SEEDS[1], node="a"), pod(SEEDS[2])], ALL_CLAIMS)
    problem = handed_over(kube, monkeypatch)
    assert "0 of 3 unit pods made" in problem
    assert "etcd-seed-1: not ready; its node a is gone" in problem


def test_nothing_more_is_asked_while_no_seed_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = Namespace([pod(seed) for seed in SEEDS], ALL_CLAIMS)
    handed_over(kube, monkeypatch)
    assert kube.asked == ["volumes of etcd"]
