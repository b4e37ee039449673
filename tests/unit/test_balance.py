"""How the steps of handover and scale are taken. Stands in for Kubernetes and for the loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from components.change import balance as balance_module
from components.change import plan
from components.change.balance import balance
from components.progress import SequenceError
from containers.etcd.supervisor.kubernetes import LEAVING_ANNOTATION
from containers.etcd.supervisor.membership import View
from tests.support.clock import Clock
from tests.support.views import healthy_since, member, view

UNITS = [member(10 + i, f"etcd-{i}") for i in range(5)]


class _StatefulSet:
    """The units' StatefulSet, and everything that was told to it."""

    site = SimpleNamespace(units="etcd", seeds="etcd-seed", serving_label="serving")

    def __init__(self, replicas: int) -> None:
        self.replicas = replicas
        self.leaving: int | None = None
        self.told: list[str] = []

    def stateful_set(self, _name: str) -> Any:
        notes = {} if self.leaving is None else {LEAVING_ANNOTATION: str(self.leaving)}
        metadata = SimpleNamespace(annotations=notes)
        return SimpleNamespace(spec=SimpleNamespace(replicas=self.replicas), metadata=metadata)

    def announce(self, _name: str, ordinal: int | None) -> None:
        self.leaving = ordinal
        self.told.append(f"{ordinal} leaves")

    def scale(self, _name: str, replicas: int) -> None:
        self.replicas = replicas
        self.told.append(f"{replicas} replicas")


class _Loop:
    """Looks once: hands out what `balance` would run with."""

    def __init__(self, kube: _StatefulSet, count: int) -> None:
        self.kube = kube
        self.goal = plan.Goal(seeds="etcd-seed", units="etcd", count=count)
        self.history = healthy_since([m.id for m in UNITS], 0.0)
        self.pods: list[Any] = []
        self.progress = SimpleNamespace(say=lambda line: None)  # pyright: ignore[reportUnknownLambdaType]
        self.decide: Callable[[View, float], Any] | None = None
        self.act: Callable[[Any, View], None] | None = None
        self.judge: Callable[[View], None] | None = None

    def run(
        self,
        decide: Callable[[View, float], Any],
        act: Callable[[Any, View], None],
        judge: Callable[[View], None],
    ) -> None:
        self.decide, self.act, self.judge = decide, act, judge


def test_between_two_removals_etcd_is_looked_at_once() -> None:
    kube = _StatefulSet(replicas=5)
    kube.leaving = 4
    loop: Any = _Loop(kube, count=3)
    balance(loop)
    after_the_first = view(UNITS[:4])
    assert loop.decide(after_the_first, 100.0) == plan.Remove(UNITS[3])
    assert kube.told == ["4 replicas", "3 leaves"]


def test_a_unit_is_announced_before_it_is_removed() -> None:
    kube = _StatefulSet(replicas=4)
    loop: Any = _Loop(kube, count=3)
    balance(loop)
    assert loop.decide(view(UNITS[:4], leader=13), 100.0) == plan.MoveLeader(UNITS[3], UNITS[2])
    assert kube.told == ["3 leaves"]


class _SetBack(_StatefulSet):
    """Somebody else sets it back at once: another controller, or a webhook."""

    def announce(self, _name: str, ordinal: int | None) -> None:
        self.told.append(f"{ordinal} leaves")

    def scale(self, _name: str, replicas: int) -> None:
        self.told.append(f"{replicas} replicas")


@pytest.mark.parametrize(
    ("replicas", "leaving", "count", "told"),
    [
        pytest.param(1, None, 3, ["3 replicas"], id="the count, upwards"),
        pytest.param(3, 2, 3, ["None leaves"], id="who is called back"),
        pytest.param(5, None, 3, ["4 leaves"], id="who is to leave"),
    ],
)
def test_what_somebody_sets_back_is_told_once_in_each_round_and_waited_for(
    replicas: int, leaving: int | None, count: int, told: list[str]
) -> None:
    """The loop has the deadline; without a wait it would never be looked at."""
    kube = _SetBack(replicas)
    kube.leaving = leaving
    loop: Any = _Loop(kube, count)
    balance(loop)
    del kube.told[:]
    for _ in range(2):
        step = loop.decide(view(UNITS[:replicas]), 100.0)
        assert step == plan.Wait("somebody else sets StatefulSet etcd back at once")
    assert kube.told == told * 2


@pytest.mark.parametrize(
    ("least", "refused"),
    [pytest.param(1, True, id="a scale"), pytest.param(None, False, id="a handover")],
)
def test_a_plan_that_no_diff_could_show_is_judged_by_the_first_view(
    least: int | None, refused: bool
) -> None:
    loop: Any = _Loop(_StatefulSet(replicas=3), count=1)
    balance(loop, least)
    with pytest.raises(SequenceError, match="minTolerance is 1") if refused else nullcontext():
        loop.judge(view(UNITS[:3]))


def test_seeds_are_members_for_a_while_after_clients_are_led_to_them_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each node learns of that by itself."""
    kube: Any = _StatefulSet(replicas=3)
    kube.unlabel = lambda pod, label: kube.told.append(f"{pod} is not {label}")  # pyright: ignore[reportUnknownLambdaType]
    loop: Any = _Loop(kube, count=3)
    loop.lock, loop.progress.phase_done = None, lambda _phase: None  # pyright: ignore[reportUnknownLambdaType]
    loop.pods = [SimpleNamespace(metadata=SimpleNamespace(name="etcd-seed-0", labels=None))]
    clock = Clock()
    monkeypatch.setattr(balance_module, "time", clock)
    monkeypatch.setattr(balance_module.lock, "note", lambda *_: kube.told.append("noted"))  # pyright: ignore[reportUnknownLambdaType]
    balance(loop)
    began = clock.now
    loop.act(plan.StopServing(), view([*UNITS[:3], member(1, "etcd-seed-0")]))
    assert kube.told == ["noted", "etcd-seed-0 is not serving"]
    assert clock.now - began == balance_module.ELSEWHERE_SECONDS > 0
