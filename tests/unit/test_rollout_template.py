"""A rolling change whose template somebody else changes meanwhile: the loop and its rule are real.

`kubectl rollout restart`, or an operator that notes in the template which Secret it has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from components.change import restarts, rollout
from components.change.plan import Done, MoveLeader, Wait
from components.dynamic.rollout import RolloutProvider
from components.names import TEMPLATE_ANNOTATION
from components.progress import SequenceError
from components.site import Site
from containers.etcd.supervisor.membership import View
from tests.support import namespace
from tests.support.dynamic import SITE, inputs
from tests.support.units import GOAL, NOW, SETTLED, UNITS
from tests.support.views import view


class Units:
    """Three units; a pod that is deleted comes back from the newest template, ready."""

    site = Site(**SITE)

    def __init__(self, *, changes: int | None = None, unseen: int = 0) -> None:
        """`changes`: with how many restarts the template becomes another; `unseen`: how many
        questions later its controller has observed that."""
        self.changes, self.unseen, self.newest = changes, unseen, "r2"
        self.restarted: list[str] = []
        self.waited: list[str] = []
        self.templates = {f"etcd-{i}": "r1" for i in range(3)}

    def stateful_set(self, _name: str) -> Any:
        return SimpleNamespace(
            metadata=SimpleNamespace(generation=2, annotations={TEMPLATE_ANNOTATION: "a1b2"}),
            status=SimpleNamespace(observed_generation=2, update_revision=self.newest),
        )

    def newest_revision(self, _name: str) -> str | None:
        if self.newest == "r3" and self.unseen > 0:
            self.unseen -= 1
            return None
        return self.newest

    def note_unfinished(self, _sequence: str, *, unfinished: bool) -> None: ...

    @property
    def pods(self) -> list[Any]:
        return [namespace.pod(n, ready=True, template=t) for n, t in self.templates.items()]

    def run(self, decide: Callable[[View, float], restarts.Step], *_: object) -> None:
        leader = 10
        for _round in range(20):
            step = decide(view(UNITS, leader=leader), NOW)
            match step:
                case Done():
                    return
                case Wait(reason):
                    self.waited.append(reason)
                case MoveLeader(_, target):
                    leader = target.id
                case restarts.Restart(pod):
                    self.restarted.append(pod)
                    if len(self.restarted) == self.changes:
                        self.newest = "r3"
                    self.templates[pod] = self.newest
        raise AssertionError(f"no end: {self.restarted}")


def answers(found: object) -> Callable[..., Any]:
    def whatever_is_asked(*_: object) -> Any:
        return found

    return whatever_is_asked


def roll(
    units: Units, monkeypatch: pytest.MonkeyPatch, *, count: int = 3, **props: Any
) -> dict[str, Any]:
    class Loop:
        goal = replace(GOAL, count=count)
        history, pods_at, run = SETTLED, namespace.NOW, units.run
        take = None
        pods = property(lambda _: units.pods)

        @staticmethod
        def of(*_: object) -> Loop:
            return Loop()

    monkeypatch.setattr(rollout, "Kube", answers(units))
    monkeypatch.setattr(rollout, "Loop", Loop)
    monkeypatch.setattr(rollout, "prove", answers({}))
    declared = inputs(RolloutProvider, template="a1b2", quota={}, **props)
    return rollout.roll(Site(**SITE), declared, resumed=False)


def test_each_unit_restarts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    units = Units()
    assert roll(units, monkeypatch)["controller_revision"] == "r2"
    assert sorted(units.restarted) == sorted(units.templates)


@pytest.mark.parametrize("changes", [1, 2, 3])
def test_a_template_that_another_changes_meanwhile_is_no_endless_change(
    changes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = Units(changes=changes)
    assert roll(units, monkeypatch)["controller_revision"] == "r3"
    assert set(units.templates.values()) == {"r3"}
    assert len(units.restarted) == 3 + changes - 1, "once more those that came back before"


def test_nobody_restarts_while_the_newest_template_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    units = Units(changes=1, unseen=1)
    roll(units, monkeypatch)
    assert units.waited == ["Kubernetes has not seen the template yet"]
    assert set(units.templates.values()) == {"r3"}


def test_the_only_copy_of_the_data_does_not_go_with_a_template_of_anothers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All had the template when it began, to wait for the last unit of one that was cut off."""
    units = Units()
    units.templates = {"etcd-0": "r2"}
    monkeypatch.setattr(units, "newest_revision", answers("r3"))
    with pytest.raises(SequenceError, match="etcd-0 is the only unit and has no volume"):
        roll(units, monkeypatch, count=1, unfinished=["rollout"])
    assert units.restarted == []
