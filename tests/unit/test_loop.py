"""What a sequence asks, waits for and mends on its way. Kubernetes and etcd are stood in for."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest

from components import progress
from components.change import loop as module
from components.change.loop import Loop
from components.change.plan import Done, Goal, Wait
from components.etcd.lock import Lock
from components.kube.client import ExecError, Kube
from components.progress import Progress, SequenceError, Unmet
from components.site import Site
from containers.etcd.supervisor.birth import BIRTH_KEY
from containers.etcd.supervisor.membership import History, Member, View
from tests.support import namespace
from tests.support.clock import Clock
from tests.support.dynamic import SITE
from tests.support.views import CLUSTER, member, view

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
    loop = Loop(unseen, unseen, Progress("rollout", -1), unseen, unseen)

    def decide(_view: View, _now: float) -> Wait:
        return Wait("not ready: etcd-1")

    with pytest.raises(SequenceError, match="not balanced after") as failure:
        loop.run(decide, unseen)
    assert following in failure.value.following


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
    assert "etcd:units.memory 2Gi" in failure.value.following


# ---------------------------------------------------------------- what an older template has broken


class Broken(Kube):
    """Three units in which something runs, of an older template; Kubernetes and etcd for a loop."""

    def __init__(
        self, *ready: str, ended: str = "", refuses: bool = False, template: str = "r2"
    ) -> None:
        """`ended`: in which etcd does not run, as its supervisor says; `template`: the newest is
        r3."""
        self.done: list[str] = []
        self.asked: list[str] = []
        """Whose supervisors."""
        self.all: Barrier | None = None
        """That wait for each other before they answer."""
        self.problem = ""
        """With which the wait has ended."""
        self.ended, self.refuses = ended, refuses
        self.site = Site(**SITE)
        self.found = [
            namespace.pod(name, ready=name in ready, volume=True, template=template)
            for name in ("etcd-0", "etcd-1", "etcd-2")
        ]

    def pods_and_time(self) -> tuple[list[Any], datetime]:
        return self.found, NOW

    def newest_revision(self, stateful_set: str) -> str:
        return "r3"

    def _node_problem(self, name: str) -> str:
        return f"node {name} is not ready since 2026-11-27 03:12:40 UTC (NodeStatusUnknown)"

    def supervisor_status(self, pod: str) -> dict[str, Any]:
        self.asked.append(pod)
        if self.all:
            self.all.wait()
        phase = "etcd ended with 2; starting again" if pod == self.ended else "etcd is starting"
        return {"data": True, "etcd": pod != self.ended, "phase": phase}

    def delete_pod(self, pod: Any) -> None:
        self.done.append(f"{pod.metadata.name} restarts")

    def move_leader(self, leader: Member, _target: Member) -> None:
        self.done.append(f"{leader.pod} leads no more")
        if self.refuses:
            raise ExecError("not caught up")

    def after_a_wait(
        self,
        seen: View | Unmet,
        monkeypatch: pytest.MonkeyPatch,
        *,
        looked: float | None = None,
        settled: bool = True,
    ) -> list[str]:
        """What a sequence does here that has to wait once. `looked`: when it had a view last;
        `settled`: whether etcd-1 is."""
        kube: Any = self
        goal = Goal("etcd-seed", "etcd", 3)
        loop = Loop(kube, kube, Progress("scale", -1), goal, kube, _looked_at=-math.inf)
        long_ago = time.monotonic() - 60
        well = {1: long_ago, 2: long_ago if settled else time.monotonic() - 1}
        loop.history = History(well, leader_index=100, seen_at=looked)

        def look(_loop: Loop) -> View | Unmet:
            loop.seen = seen if isinstance(seen, View) else None
            return seen

        def decide(_view: View, _now: float) -> Wait:
            return Wait("not voters yet: etcd-2")

        monkeypatch.setattr(Loop, "look", look)
        with pytest.raises(SequenceError, match="not balanced") as failure:
            loop.run(decide, kube)
        self.problem = failure.value.problem
        return self.done


SILENT = Unmet("no answer")
LED_BY_0, LED_BY_2 = (
    view([member(i + 1, f"etcd-{i}") for i in range(3)], leader=leader) for leader in (1, 3)
)


@pytest.mark.parametrize(
    ("there", "seen", "done"),
    [
        pytest.param(Broken("etcd-0", "etcd-1"), LED_BY_0, ["etcd-2 restarts"], id="one"),
        pytest.param(Broken("etcd-0", "etcd-1"), LED_BY_2, ["etcd-2 leads no more"], id="it leads"),
        pytest.param(
            Broken("etcd-0", "etcd-1", refuses=True),
            LED_BY_2,
            ["etcd-2 leads no more"],
            id="refused",
        ),
        pytest.param(Broken("etcd-0", "etcd-1", "etcd-2"), LED_BY_0, [], id="all are ready"),
        pytest.param(Broken(ended="etcd-1"), SILENT, ["etcd-1 restarts"], id="nobody serves"),
        pytest.param(Broken(), SILENT, [], id="all run, and wait for each other"),
    ],
)
def test_every_sequence_mends_what_an_older_template_has_broken(
    there: Broken, seen: View | Unmet, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rolling change, which would mend it too, comes after the others."""
    assert there.after_a_wait(seen, monkeypatch) == done


def test_a_unit_whose_node_is_silent_is_waited_for_and_the_node_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If it has only lost the API server, the unit is well, and would end when it is back."""
    there = Broken("etcd-0", "etcd-1")
    there.found[2] = namespace.pod("etcd-2", unheard=True, volume=True)
    there.found[2].spec.node_name = "a"
    assert there.after_a_wait(LED_BY_0, monkeypatch) == []
    assert "etcd-2: not ready; its node a is not ready since" in there.problem


def test_what_was_seen_too_long_ago_mends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = time.monotonic() - 20
    assert not Broken("etcd-0", "etcd-1").after_a_wait(LED_BY_0, monkeypatch, looked=looked)


@pytest.mark.parametrize(
    ("settled", "done"),
    [
        pytest.param(True, ["etcd-2 restarts"], id="mended just now"),
        pytest.param(False, [], id="its turn will come"),
    ],
)
def test_what_an_older_template_has_broken_ends_no_sequence(
    settled: bool, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a volume a voter is no pod that Kubernetes' word alone lets go."""
    there = Broken("etcd-0", "etcd-1")
    there.found[2] = namespace.pod("etcd-2", waiting="CrashLoopBackOff", restarts=3)
    assert there.after_a_wait(LED_BY_0, monkeypatch, settled=settled) == done


def test_where_nobody_serves_all_that_have_failed_are_asked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One after the other, each may keep the question for 10 s, with no line meanwhile."""
    there = Broken(ended="etcd-1")
    there.all = Barrier(3, timeout=10)
    assert there.after_a_wait(SILENT, monkeypatch) == ["etcd-1 restarts"]


# ---------------------------------------------------------------- an etcd that does not come


WITHOUT_2 = view([member(i + 1, f"etcd-{i}") for i in range(3)], silent=[3])


@pytest.mark.parametrize(
    ("there", "seen", "told"),
    [
        pytest.param(
            Broken("etcd-0", "etcd-1", ended="etcd-2", template="r3"),
            WITHOUT_2,
            ["etcd-2: etcd ended with 2; starting again"],
            id="the others serve",
        ),
        pytest.param(
            Broken("etcd-0", ended="etcd-2", template="r3"),
            WITHOUT_2,
            ["etcd-2: etcd ended with 2; starting again"],
            id="another is not ready, and answers",
        ),
        pytest.param(
            Broken(ended="etcd-1", template="r3"),
            SILENT,
            [
                "etcd-0: etcd is starting",
                "etcd-1: etcd ended with 2; starting again",
                "etcd-2: etcd is starting",
            ],
            id="nobody serves",
        ),
        pytest.param(Broken("etcd-0", "etcd-1", "etcd-2"), SILENT, [], id="all are ready"),
    ],
)
def test_why_no_etcd_answers_in_a_unit_that_runs_is_told_by_its_supervisor(
    there: Broken,
    seen: View | Unmet,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """For Kubernetes it runs and is not ready, however often the etcd in it ends."""
    monkeypatch.setattr(progress, "SILENCE_SECONDS", 0)
    there.after_a_wait(seen, monkeypatch)
    reason = seen.reason if isinstance(seen, Unmet) else "not voters yet: etcd-2"
    assert there.problem == f"not balanced after -1 s: {'; '.join([reason, *told])}"
    assert sorted(there.asked) == [line.partition(":")[0] for line in told]
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.endswith(f"waiting: {'; '.join([reason, *told])}")


def test_no_supervisor_is_asked_while_there_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take the processor from the etcds that are starting."""
    there = Broken("etcd-0", "etcd-1", ended="etcd-2", template="r3")
    there.after_a_wait(WITHOUT_2, monkeypatch)
    assert there.asked == []


# ---------------------------------------------------------------- the birth mark


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
    site = SimpleNamespace(units="etcd", seeds="etcd-seed", namespace="etcd")
    kube: Any = SimpleNamespace(site=site, pods_and_time=lambda: (list[Any](), NOW))
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
