"""What a sequence mends that an older template has broken, and what it tells of an etcd that does
not come. Kubernetes and etcd are stood in for."""

from __future__ import annotations

import math
import time
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest

from components import progress
from components.change.loop import Loop
from components.change.plan import Goal, Wait
from components.kube.client import Kube
from components.kube.errors import ExecError
from components.progress import Progress, SequenceError, Unmet
from components.site import Site
from containers.etcd.supervisor.membership import History, Member, View
from tests.support import namespace
from tests.support.dynamic import SITE
from tests.support.views import member, view


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
        return self.found, namespace.NOW

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
