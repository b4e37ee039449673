"""The birth mark that a client deletes while a sequence runs. Kubernetes and etcd are stood in
for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from components.change import loop as module
from components.change.loop import Loop
from components.change.plan import Done, Goal
from components.etcd.lock import Lock
from components.kube.errors import ExecError
from components.progress import Progress, SequenceError
from components.site import Site
from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from containers.etcd.supervisor.membership import View
from tests.support.dynamic import SITE
from tests.support.namespace import NOW
from tests.support.views import CLUSTER, member, view

LED_BY_0 = view([member(i + 1, f"etcd-{i}") for i in range(3)])


class Marked:
    """A cluster whose birth mark is `birth`; it refuses the first `refusals` writes."""

    def __init__(self, birth: str, refusals: int = 0) -> None:
        self.birth, self.refusals = birth, refusals
        self.done: list[str] = []

    def view(self) -> View:
        return LED_BY_0

    def get(self, _key: str) -> str:
        return self.birth

    def write_birth(self, mark: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ExecError("etcdserver: request timed out")
        self.birth = mark
        self.done.append(f"{BIRTH_KEY}={mark}")


@pytest.mark.parametrize(
    ("cluster", "done"),
    [
        pytest.param(Marked("b"), ["a step"], id="it is there"),
        pytest.param(Marked(""), [f"{BIRTH_KEY}=b", "a step"], id="a client has deleted it"),
        pytest.param(
            Marked("", refusals=1), ["a step", f"{BIRTH_KEY}=b", "a step"], id="tried again"
        ),
    ],
)
def test_a_deleted_birth_mark_is_written_again_before_anything_else(
    cluster: Marked, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit that comes back with its data joins no cluster without it (rules.another_cluster)."""
    site = SimpleNamespace(units="etcd", namespace="etcd")
    kube: Any = SimpleNamespace(site=site, pods_and_time=lambda: (list[Any](), NOW))
    asked: Any = cluster
    known = Lock(cluster_id=f"{CLUSTER:x}", birth="b", revision=0)
    loop = Loop(kube, asked, Progress("scale", 60), Goal("etcd-seed", "etcd", 3), known)

    def decide(_view: View, _now: float) -> str | Done:
        return Done() if len(cluster.done) >= len(done) else "a step"

    def act(step: str, _view: View) -> None:
        cluster.done.append(step)

    monkeypatch.setattr(module, "POLL_SECONDS", 0)
    loop.run(decide, act)
    assert cluster.done == done


class Overtaken(Marked):
    def write_birth(self, mark: str) -> None:
        self.birth = f"not {mark}"


def test_a_mark_that_came_from_elsewhere_meanwhile_is_not_taken_for_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As by a copy of another cluster's keys: ours is written only where there is none."""
    asked: Any = Overtaken("")
    kube: Any = SimpleNamespace(site=Site(**SITE), pods_and_time=lambda: (list[Any](), NOW))
    known = Lock(cluster_id=f"{CLUSTER:x}", birth="b", revision=0)
    loop = Loop(kube, asked, Progress("scale", 60), Goal("etcd-seed", "etcd", 3), known)
    monkeypatch.setattr(module, "POLL_SECONDS", 0)
    with pytest.raises(SequenceError, match="formed a second time"):
        loop.run(lambda _view, _now: Done(), asked)


def test_no_sequence_is_done_while_the_mark_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Marked("", refusals=2)
    asked: Any = cluster
    site = SimpleNamespace(units="etcd", namespace="etcd")
    kube: Any = SimpleNamespace(site=site, pods_and_time=lambda: (list[Any](), NOW))
    known = Lock(cluster_id=f"{CLUSTER:x}", birth="b", revision=0)
    loop = Loop(kube, asked, Progress("rollout", 60), Goal("etcd-seed", "etcd", 3), known)
    monkeypatch.setattr(module, "POLL_SECONDS", 0)
    loop.run(lambda _view, _now: Done(), asked)
    assert cluster.done == [f"{BIRTH_KEY}=b"]
