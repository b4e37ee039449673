"""What a sequence asks, waits for and mends on its way. Kubernetes and etcd are stood in for."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from components.change import loop as module
from components.change.loop import Loop
from components.change.plan import Done, Goal, Wait
from components.progress import Progress, SequenceError, Unmet
from containers.etcd.supervisor.membership import View
from tests.support import namespace
from tests.support.clock import Clock
from tests.support.views import member, view

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def pod(name: str, ready: bool) -> Any:
    state = SimpleNamespace(running=object(), waiting=None)
    condition = SimpleNamespace(
        type="Ready", status=str(ready), last_transition_time=NOW, reason="ContainersNotReady"
    )
    return SimpleNamespace(
        metadata=SimpleNamespace(name=name, deletion_timestamp=None),
        status=SimpleNamespace(
            conditions=[condition],
            init_container_statuses=None,
            container_statuses=[SimpleNamespace(name="etcd", state=state, ready=ready)],
        ),
    )


@pytest.mark.parametrize(
    ("pods", "asked"),
    [
        pytest.param(
            {"etcd-0": False, "etcd-1": True, "etcd-2": True},
            ["etcd-1", "etcd-2", "etcd-0"],
            id="the node of one has died",
        ),
        pytest.param(
            {"etcd-0": False, "etcd-1": False, "etcd-seed-0": False, "etcd-seed-1": True},
            ["etcd-seed-1", "etcd-seed-0", "etcd-0", "etcd-1", "etcd-2"],
            id="before the handover",
        ),
        pytest.param({}, ["etcd-0", "etcd-1", "etcd-2"], id="all scaled away by hand"),
    ],
)
def test_who_is_ready_is_asked_first_and_seeds_before_units(
    pods: dict[str, bool], asked: list[str]
) -> None:
    found = [pod(name, ready) for name, ready in pods.items()]

    def execute(name: str, *_command: str, seconds: float) -> str:
        told.append(name)
        return ""

    told: list[str] = []
    kube: Any = SimpleNamespace(
        site=SimpleNamespace(seeds="etcd-seed", units="etcd", local_url="http://127.0.0.1:2379"),
        pods_and_time=lambda: (found, NOW),
        volumes=lambda _name: [],  # pyright: ignore[reportUnknownLambdaType]
        exec=execute,
    )
    loop = Loop.of(kube, {"units": 3, "cluster_id": "c1", "birth": "b"}, Progress("scale", 0))
    loop.look()
    assert list(dict.fromkeys(told)) == asked


def test_what_was_seen_too_long_ago_is_no_ground_for_a_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a look waits for Kubernetes to answer again, a member may have fallen ill."""
    clock, acted = Clock(), list[float]()
    monkeypatch.setattr(module, "time", clock)
    took = iter([20.0, 0.1, 0.1])

    def look(_loop: Loop) -> View:
        clock.now += next(took)
        return view([member(1, "etcd-0")])

    monkeypatch.setattr(Loop, "look", look)
    unseen: Any = SimpleNamespace(site=None)
    progress = Progress("rollout", 600)
    loop = Loop(unseen, unseen, progress, unseen, unseen)

    def decide(_view: View, _now: float) -> str | Done:
        return Done() if acted else "restart"

    def act(_step: str, _view: View) -> None:
        acted.append(clock.now)

    monkeypatch.setattr(Loop, "_look_at_pods", lambda _loop: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    loop.run(decide, act)
    assert acted == [120.1]


def test_a_plan_is_judged_once_and_by_a_view_with_a_leader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without one nothing can be foretold: an election may be on when the sequence begins."""
    led = view([member(1, "etcd-0")])
    looks = iter([view([member(1, "etcd-0")], leader=0), led, led, led])
    monkeypatch.setattr(Loop, "look", lambda _loop: next(looks))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(Loop, "_look_at_pods", lambda _loop: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(module, "time", Clock())
    unseen: Any = SimpleNamespace(site=None)
    loop = Loop(unseen, unseen, Progress("scale", 600), unseen, unseen)
    judged, decided = list[View](), list[View]()

    def decide(view: View, _now: float) -> str | Wait | Done:
        decided.append(view)
        return Done() if len(decided) == 4 else Wait("a leader")

    loop.run(decide, lambda _step, _view: None, judged.append)
    assert judged == [led]


@pytest.mark.parametrize(
    ("seen", "following"),
    [
        pytest.param(Unmet("the cluster does not answer: no pod to ask"), "destroy", id="silence"),
        pytest.param(view([member(1, "etcd-0")]), "goes on from here", id="an answer"),
    ],
)
def test_where_nobody_answers_the_way_out_of_lost_data_is_told(
    seen: View | Unmet, following: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units without volumes that have all lost their pods wait for a cluster for ever."""
    monkeypatch.setattr(Loop, "look", lambda _loop: seen)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    unseen: Any = SimpleNamespace(site=None)
    progress = Progress("rollout", 600, by_setting=True, started=-math.inf)
    loop = Loop(unseen, unseen, progress, unseen, unseen)

    def decide(_view: View, _now: float) -> Wait:
        return Wait("not ready: etcd-1")

    with pytest.raises(SequenceError, match="not balanced after 600 s") as failure:
        loop.run(decide, unseen)
    first, _, longer = failure.value.next_step.partition("; or give it more time: ")
    assert following in first
    assert longer == "pulumi config set --path etcd:handover.timeoutSeconds 1200, then pulumi up"


def test_a_unit_that_is_out_of_memory_again_and_again_ends_the_wait_with_what_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    unit = namespace.pod("etcd-1", waiting="CrashLoopBackOff", starved=True)
    kube = namespace.Namespace(pods=[unit])
    monkeypatch.setattr(Loop, "look", lambda _loop: Unmet("no answer"))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    unseen: Any = None
    loop = Loop(kube, unseen, Progress("scale", 600), Goal("etcd-seed", "etcd", 3), unseen)
    with pytest.raises(SequenceError, match="pod etcd-1: CrashLoopBackOff") as failure:
        loop.run(unseen, unseen)
    assert "etcd:units.memory 2Gi" in failure.value.next_step
