"""The end of what belongs to a bootstrap: pods, claims, the token's keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from components.birth import teardown
from components.birth.teardown import wipe
from components.kube.errors import ExecError
from components.progress import Progress, SequenceError
from components.site import Site
from tests.support.dead_node import OnADeadNode
from tests.support.dynamic import SITE
from tests.support.namespace import NOW, Namespace, claim, pod


@pytest.mark.parametrize(
    ("given", "named"),
    [
        pytest.param(timedelta(seconds=-30), True, id="it should have gone"),
        pytest.param(timedelta(seconds=30), False, id="it has time still"),
    ],
)
def test_a_dead_node_under_what_is_to_end_is_named(
    given: timedelta, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubernetes waits for its word for ever."""
    monkeypatch.setattr(teardown, "END_SECONDS", 0)
    kube = OnADeadNode(runs=True, ending=NOW + given)
    with pytest.raises(SequenceError, match="still there: etcd-seed-0, etcd-seed-1") as failure:
        wipe(kube, Progress("handover", -1))
    assert ("its node node-of-etcd-seed-1 is gone" in failure.value.problem) is named
    assert "docs/runbook.md: a node dies" in failure.value.next_step


class Wiped(Namespace):
    """A namespace in which what is deleted is gone; its seeds end when they are scaled away."""

    def __init__(
        self,
        *,
        pods: Sequence[Any] = (),
        claims: Sequence[Any] = (),
        secrets: Sequence[Mapping[str, str]] = ({},),
    ) -> None:
        super().__init__(pods=pods, claims=claims, secrets=secrets)
        self.deleted: list[str] = []
        self.scaled: list[str] = []

    def scale(self, stateful_set: str, replicas: int) -> None:
        self.scaled.append(stateful_set)

    def delete_volume(self, claim: Any) -> None:
        self.deleted.append(claim.metadata.name)
        self.claims = [c for c in self.claims if c is not claim]

    def delete_secret(self, name: str) -> bool:
        self.deleted.append(name)
        return True


def of_seed(ordinal: int, labels: Mapping[str, str], *, ending: bool = False) -> Any:
    found = claim(f"etcd-seed-{ordinal}")
    found.metadata.labels = labels
    found.metadata.deletion_timestamp = NOW if ending else None
    return found


OURS = Site(**SITE).identity


def test_the_claim_of_a_seed_whose_pod_was_refused_goes() -> None:
    """Kubernetes makes the claim first, and ends it with the pod only, which there never was."""
    kube = Wiped(claims=[of_seed(2, OURS)])
    wipe(kube, Progress("discovery", 60))
    assert kube.deleted == ["data-etcd-seed-2", "etcd-discovery"]


@pytest.mark.parametrize(
    ("pods", "left"),
    [
        pytest.param([pod("etcd-seed-0")], of_seed(2, OURS), id="a seed ends still"),
        pytest.param([], of_seed(2, OURS, ending=True), id="it ends already"),
        pytest.param([], of_seed(2, {"app": "of-another-chart"}), id="somebody else's"),
    ],
)
def test_no_other_claim_is_deleted_with_the_seeds(
    pods: list[Any], left: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teardown, "END_SECONDS", 0)
    kube = Wiped(pods=pods, claims=[left])
    with pytest.raises(SequenceError, match=r"still there: .*volume data-etcd-seed-2"):
        wipe(kube, Progress("discovery", -1))
    assert kube.deleted == []


TAKEN = {"token": "ours"}


@pytest.mark.parametrize("now", [{"token": "theirs"}, {}], ids=["begun", "over already"])
@pytest.mark.parametrize(
    ("looks", "scaled"),
    [
        pytest.param(0, [], id="before anything is ended"),
        pytest.param(2, ["etcd-seed", "etcd-discovery"], id="while seeds end"),
    ],
)
def test_what_another_run_has_in_the_place_of_an_attempt_is_let_alone(
    now: Mapping[str, str], looks: int, scaled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a node is dead, seeds take minutes to end, and that run has its own cluster by now."""
    monkeypatch.setattr("components.progress.time.sleep", lambda _seconds: None)  # pyright: ignore[reportUnknownLambdaType]
    kube = Wiped(
        pods=[pod("etcd-seed-0")],
        claims=[of_seed(0, OURS)],
        secrets=[*([TAKEN] * looks), now],
    )
    with pytest.raises(SequenceError, match="another pulumi up has begun a birth of its own"):
        wipe(kube, Progress("discovery", 60), "ours")
    assert (kube.scaled, kube.deleted) == (scaled, [])


CUT_OFF = {"protocol": "v3", "token": "ab12", "endpoint": "http://theirs:2379"}


@pytest.mark.parametrize(
    ("secret", "pods", "answer", "said"),
    [
        pytest.param(CUT_OFF, ("etcd-seed-0",), "3", "", id="its keys are deleted"),
        pytest.param({}, ("etcd-0",), ExecError("asked"), "", id="no attempt was cut off"),
        pytest.param(CUT_OFF, (), "3", "http://theirs:2379 still holds", id="no pod to ask from"),
        pytest.param(
            CUT_OFF, ("etcd-0",), ExecError("gone"), "did not answer (gone)", id="it is gone"
        ),
    ],
)
def test_a_destroy_leaves_no_token_with_somebody_elses_discovery_service(
    secret: Mapping[str, str],
    pods: Sequence[str],
    answer: Any,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = Namespace(secrets=[secret], pods=[pod(name) for name in pods])
    there.answers["/_etcd/registry/ab12/"] = [answer]
    monkeypatch.setattr(teardown, "Kube", lambda *_, **__: there)  # pyright: ignore
    teardown.forget_unfinished(there.site, "")
    printed = capsys.readouterr().out
    assert said in printed if said else not printed
