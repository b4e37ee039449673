"""A quota of etcd's that the database does not fit into is refused before a unit restarts with it.

Kubernetes and etcd are left out: their answers are given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.change import preview, rollout, room
from components.change.plan import Goal, Workload
from components.dynamic.preflight import PreflightProvider
from components.dynamic.rollout import RolloutProvider
from components.names import TEMPLATE_ANNOTATION
from components.progress import SequenceError, Unmet
from components.settings import parse
from components.site import Site
from components.sizing import LARGEST_QUOTA, memory_for, quota_bytes
from containers.etcd.supervisor.membership import View
from tests.support.dynamic import SITE, inputs
from tests.support.stack_config import with_values
from tests.support.views import member, view

MIB = 1024**2
BEFORE = {"bytes": 748 * MIB, "memory": "2047Mi"}
LESS = {"bytes": 288 * MIB, "memory": "1Gi"}


def unit(ordinal: int, quota: int | None) -> Any:
    """A pod, ready, with that quota in MiB; None: its template says nothing of one."""
    said = [] if quota is None else [("MEMBER_QUOTA_BYTES", str(quota * MIB))]
    env = [SimpleNamespace(name="POD_NAME", value=None)]
    env += [SimpleNamespace(name=name, value=value) for name, value in said]
    state = SimpleNamespace(running=object(), waiting=None)
    running = SimpleNamespace(name="etcd", state=state, ready=True)
    condition = SimpleNamespace(
        type="Ready", status="True", last_transition_time="now", reason=None
    )
    return SimpleNamespace(
        metadata=SimpleNamespace(
            name=f"etcd-{ordinal}",
            labels={"controller-revision-hash": "old"},
            deletion_timestamp=None,
        ),
        spec=SimpleNamespace(containers=[SimpleNamespace(name="etcd", env=env)], volumes=[]),
        status=SimpleNamespace(
            init_container_statuses=None, container_statuses=[running], conditions=[condition]
        ),
    )


def trio(*quotas: int | None) -> list[Any]:
    return [unit(i, quota) for i, quota in enumerate(quotas)]


def sized(*sizes: int) -> View:
    """Units whose databases have that many MiB; 0: that one does not answer."""
    silent = [10 + i for i, size in enumerate(sizes) if not size]
    seen = view([member(10 + i, f"etcd-{i}") for i in range(len(sizes))], silent=silent)
    statuses = {i: replace(s, file_bytes=sizes[i - 10] * MIB) for i, s in seen.statuses.items()}
    return replace(seen, statuses=statuses)


# ---------------------------------------------------------------- the rule


@pytest.mark.parametrize(
    ("quota", "pods", "seen"),
    [
        pytest.param(LESS, trio(748, 748, 748), sized(100, 400, 100), id="larger than the quota"),
        pytest.param(LESS, trio(748, 748, 748), sized(270, 1, 1), id="almost as large"),
        pytest.param(LESS, trio(748, 748, 748), sized(0, 0, 400), id="the others do not answer"),
        pytest.param(LESS, trio(288, 288, 748), sized(400, 400, 400), id="one is left"),
    ],
)
def test_a_quota_that_the_database_does_not_fit_into_is_refused(
    quota: dict[str, Any], pods: list[Any], seen: View
) -> None:
    with pytest.raises(room.TooSmallError):
        room.require(quota, pods, seen)


@pytest.mark.parametrize(
    ("quota", "pods", "seen"),
    [
        pytest.param(LESS, trio(748, 748, 748), sized(100, 200, 100), id="it fits"),
        pytest.param(LESS, trio(748, 748, 748), sized(0, 0, 0), id="nobody answers"),
        pytest.param(
            LESS, trio(None, None, None), sized(900, 900, 900), id="of which nothing is told"
        ),
        pytest.param(BEFORE, trio(288, 288, 288), sized(900, 900, 900), id="more than before"),
        pytest.param(LESS, trio(288, 288, 288), sized(400, 400, 400), id="as before, and full"),
        pytest.param({}, trio(748, 748, 748), sized(900, 900, 900), id="it follows no setting"),
    ],
)
def test_nothing_else_is_refused(quota: dict[str, Any], pods: list[Any], seen: View) -> None:
    room.require(quota, pods, seen)


def test_the_refusal_names_the_key_what_is_there_and_what_to_set() -> None:
    with pytest.raises(room.TooSmallError) as failure:
        room.require(LESS, trio(748, 748, 748), sized(100, 400, 100))
    problem, following = failure.value.problem, failure.value.next_step
    assert "etcd:units.memory 1Gi gives etcd a quota of 288Mi" in problem
    assert "the database of etcd-1 has 400Mi" in problem
    # 384 MiB of log and (400 / 0.9) / 0.45 for it, which is three quarters of the memory.
    assert following.startswith("pulumi config set --path etcd:units.memory 1829Mi")


@given(st.integers(min_value=1, max_value=int(room.FULL * LARGEST_QUOTA)))
def test_what_it_says_to_set_is_enough(size: int) -> None:
    least = -(-memory_for(size / room.FULL) // MIB)
    memory: dict[str, object] = {
        "storage.kind": "memory",
        "units.memory": f"{max(least, 768)}Mi",
    }
    assert size <= room.FULL * quota_bytes(parse(with_values(memory))) + 1


# ---------------------------------------------------------------- where it is asked


def answers(found: Any) -> Callable[..., Any]:
    def whatever_is_asked(*_: object, **__: object) -> Any:
        return found

    return whatever_is_asked


def let_answer(monkeypatch: pytest.MonkeyPatch, pods: list[Any], seen: View | Unmet) -> None:
    """The cluster that a preview sees."""
    loop = SimpleNamespace(
        goal=Goal(seeds="etcd-seed", units="etcd", count=3),
        pods=pods,
        pods_at=datetime.now(UTC),
        look=lambda: seen,
    )
    kube = SimpleNamespace(version=str, pods=answers(pods))
    there = Workload(3, None, frozenset(range(3)), serving_seeds=False)
    monkeypatch.setattr(preview, "Kube", answers(kube))
    monkeypatch.setattr(preview, "Cluster", answers(SimpleNamespace(view=lambda: seen)))
    monkeypatch.setattr(preview, "Loop", SimpleNamespace(of=answers(loop)))
    monkeypatch.setattr(preview, "workload", answers(there))


def compare(olds: dict[str, Any], **news: Any) -> bool | None:
    """What `pulumi preview`, and `up` before it changes any object, ask the preflight."""
    changed = {"unit_memory": "1073741824", "memory": "2684354560", **news}
    return PreflightProvider().diff("x", olds, inputs(PreflightProvider, **changed)).changes


OLDS = inputs(PreflightProvider, quota=BEFORE)
OF_BEFORE = {key: value for key, value in OLDS.items() if key != "quota"}
"""A state that an older version of the program has written."""


@pytest.mark.parametrize("olds", [OLDS, OF_BEFORE], ids=["as noted", "by what the units have"])
def test_the_preflight_refuses_before_the_template_is_touched(
    olds: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_answer(monkeypatch, trio(748, 748, 748), sized(400, 400, 400))
    with pytest.raises(room.TooSmallError):
        compare(olds, quota=LESS)


def test_the_preflight_lets_a_database_pass_that_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    let_answer(monkeypatch, trio(748, 748, 748), sized(100, 100, 100))
    assert compare(OLDS, quota=LESS)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("olds", "news"),
    [
        pytest.param(OLDS, {"quota": {**BEFORE, "bytes": 900 * MIB}}, id="more"),
        pytest.param(OLDS, {"quota": BEFORE}, id="the same"),
        pytest.param(inputs(PreflightProvider), {"quota": {}}, id="of no setting"),
        pytest.param(OF_BEFORE, {"quota": {}}, id="of no setting, by a state of before"),
    ],
)
def test_nobody_is_asked_where_no_quota_is_lowered(
    olds: dict[str, Any], news: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "Kube", answers(None))
    assert compare(olds, **news)


def test_that_the_size_is_not_known_is_said_and_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    let_answer(monkeypatch, trio(748, 748, 748), Unmet("the cluster does not answer"))
    assert compare(OLDS, quota=LESS)
    said = capsys.readouterr().out
    assert "fits into a smaller quota is not known: the cluster does not answer" in said


def test_the_plan_of_a_rolling_change_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was cut off: the preflight has seen a smaller database then."""
    let_answer(monkeypatch, trio(288, 748, 748), sized(400, 400, 400))
    olds = inputs(RolloutProvider)
    news = inputs(RolloutProvider, template="c3d4", quota=LESS)
    with pytest.raises(room.TooSmallError):
        RolloutProvider().diff("x", olds, news)


def test_a_unit_does_not_restart_into_a_quota_that_has_become_too_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restarted: list[str] = []
    there = trio(748, 748, 748)
    kube = SimpleNamespace(
        site=Site(**SITE),
        pods=answers(there),
        stateful_set=answers(
            SimpleNamespace(
                metadata=SimpleNamespace(generation=2, annotations={TEMPLATE_ANNOTATION: "a1b2"}),
                status=SimpleNamespace(observed_generation=2, update_revision="new"),
            )
        ),
        newest_revision=answers("new"),
        note_unfinished=answers(None),
        delete_pod=restarted.append,
    )

    def run(decide: Callable[[View, float], Any], _act: object, _judge: object) -> None:
        decide(sized(400, 400, 400), 0.0)

    goal = Goal(seeds="etcd-seed", units="etcd", count=3)
    loop = SimpleNamespace(
        goal=goal, pods=there, pods_at=datetime.now(UTC), history=None, run=run, take=None
    )
    monkeypatch.setattr(rollout, "Kube", answers(kube))
    monkeypatch.setattr(rollout, "Loop", SimpleNamespace(of=answers(loop)))
    with pytest.raises(SequenceError, match="etcd would take no more writes"):
        rollout.roll(Site(**SITE), inputs(RolloutProvider, quota=LESS), resumed=False)
    assert restarted == []
