"""What is said of a unit that is not ready: by its pod, and by its node."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from components.kube.pods import (
    crowded,
    may_be_recreated,
    may_pass,
    more_memory,
    node_problem,
    obstacle,
    on_the_way,
    ready_seconds,
    stuck,
    trouble,
    unheard,
    words,
)
from tests.support import namespace

NIGHT = datetime(2026, 11, 27, 3, 12, 40, tzinfo=UTC)
DOWN = "node a is not ready since 2026-11-27 03:12:40 UTC (NodeStatusUnknown)"


STARVED = SimpleNamespace(reason="OOMKilled", exit_code=137, finished_at=NIGHT)
BROKEN = SimpleNamespace(reason="Error", exit_code=1, finished_at=NIGHT)


def pod(
    *,
    runs: bool = True,
    ready: bool = False,
    ending: bool = False,
    why: str = "",
    waiting: str | None = None,
    ended: Any = None,
) -> Any:
    """`ready`: by its condition. What its container last said of itself is that it is.

    `waiting`: why its container does not run; `ended`: how it did so before.
    """
    runs = runs and not waiting
    said = SimpleNamespace(reason=waiting, message="back-off 5m0s") if waiting else None
    state = SimpleNamespace(running=object() if runs else None, waiting=said)
    last = SimpleNamespace(terminated=ended)
    memory = SimpleNamespace(limits={"memory": "1536Mi"})
    conditions = [
        SimpleNamespace(type="PodScheduled", status=str(not why), message=why, reason=None),
        SimpleNamespace(
            type="Ready",
            status=str(ready),
            last_transition_time=NIGHT,
            reason="ContainersNotReady",
        ),
    ]
    return SimpleNamespace(
        metadata=SimpleNamespace(name="etcd-1", deletion_timestamp=NIGHT if ending else None),
        spec=SimpleNamespace(containers=[SimpleNamespace(name="etcd", resources=memory)]),
        status=SimpleNamespace(
            phase="Running" if runs else "Pending",
            conditions=conditions,
            container_statuses=[
                SimpleNamespace(name="etcd", state=state, last_state=last, ready=True, image="etcd")
            ],
        ),
    )


def node(status: str = "Unknown") -> Any:
    pressure = SimpleNamespace(type="MemoryPressure", status="False")
    ready = SimpleNamespace(
        type="Ready", status=status, last_transition_time=NIGHT, reason="NodeStatusUnknown"
    )
    return SimpleNamespace(
        metadata=SimpleNamespace(name="a"), status=SimpleNamespace(conditions=[pressure, ready])
    )


@pytest.mark.parametrize(
    ("unit", "problem", "said"),
    [
        pytest.param(pod(ready=True), None, None, id="ready"),
        pytest.param(pod(), None, None, id="starting: its own log says more"),
        pytest.param(pod(), DOWN, f"etcd-1: not ready; its {DOWN}", id="its node has just died"),
        pytest.param(
            pod(ready=True, ending=True),
            DOWN,
            f"etcd-1: ending since 2026-11-27 03:12:40 UTC; its {DOWN}",
            id="its node died a while ago",
        ),
        pytest.param(
            pod(ending=True), None, "etcd-1: ending since 2026-11-27 03:12:40 UTC", id="ending"
        ),
        pytest.param(pod(runs=False), DOWN, f"etcd-1: Pending; its {DOWN}", id="never started"),
        pytest.param(pod(runs=False, why="no room"), None, "etcd-1: no room", id="no node for it"),
        pytest.param(
            pod(waiting="CrashLoopBackOff", ended=STARVED),
            None,
            "etcd-1: CrashLoopBackOff (OOMKilled, exit code 137)",
            id="out of memory again and again",
        ),
        pytest.param(
            pod(waiting="ImagePullBackOff", ended=STARVED),
            None,
            "etcd-1: ImagePullBackOff",
            id="waits for another reason",
        ),
        pytest.param(
            pod(ended=STARVED),
            None,
            "etcd-1: not ready, OOMKilled at 2026-11-27 03:12:40 UTC",
            id="out of memory, and starting again: no log says so",
        ),
        pytest.param(pod(ended=BROKEN), None, None, id="starting again: its own log says more"),
        pytest.param(pod(ready=True, ended=STARVED), None, None, id="ready again"),
    ],
)
def test_a_unit_that_is_not_ready_is_told_with_its_node(
    unit: Any, problem: str | None, said: str | None
) -> None:
    assert trouble(unit, problem) == said


ENDS = "etcd ended with 1; starting again"


@pytest.mark.parametrize(
    ("unit", "problem", "told"),
    [
        pytest.param(pod(), None, f"etcd-1: {ENDS}", id="it runs"),
        pytest.param(pod(), DOWN, f"etcd-1: {ENDS}; its {DOWN}", id="its node has just died"),
        pytest.param(
            pod(ended=STARVED),
            None,
            f"etcd-1: not ready, OOMKilled at 2026-11-27 03:12:40 UTC; {ENDS}",
            id="its container was out of memory before",
        ),
        pytest.param(pod(runs=False), None, "etcd-1: Pending", id="it has ended since"),
        pytest.param(pod(ready=True), None, None, id="it is ready by now"),
    ],
)
def test_what_a_supervisor_says_is_told_of_a_unit_that_runs_and_is_not_ready(
    unit: Any, problem: str | None, told: str | None
) -> None:
    assert trouble(unit, problem, ENDS) == told


@pytest.mark.parametrize(
    ("status", "told"),
    [
        pytest.param({"phase": ENDS, "exitCode": 1}, ENDS, id="etcd ends"),
        pytest.param(
            {"phase": "etcd ended with -9; starting again", "exitCode": -9},
            "etcd ended with -9; starting again "
            "(killed, perhaps for want of memory: etcd:units.memory)",
            id="etcd is killed",
        ),
        pytest.param(
            {"phase": "in other words", "exitCode": -9},
            "in other words (killed, perhaps for want of memory: etcd:units.memory)",
            id="whatever the phase's words are",
        ),
        pytest.param({}, "no word from its supervisor", id="nobody answers"),
    ],
)
def test_what_a_supervisor_says_is_told_in_words(status: dict[str, Any], told: str) -> None:
    assert words(status, "units") == told


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        pytest.param(
            pod(waiting="CrashLoopBackOff", ended=STARVED),
            "pod etcd-1: CrashLoopBackOff (OOMKilled, exit code 137): back-off 5m0s",
            id="out of memory",
        ),
        pytest.param(
            pod(waiting="CrashLoopBackOff", ended=BROKEN),
            "pod etcd-1: CrashLoopBackOff (Error, exit code 1): back-off 5m0s",
            id="another end",
        ),
        pytest.param(pod(waiting="ContainerCreating"), None, id="on its way"),
        pytest.param(
            pod(waiting="CrashLoopBackOff", ended=STARVED, ending=True),
            None,
            id="another comes in its place",
        ),
        pytest.param(pod(ended=STARVED), None, id="runs again"),
    ],
)
def test_what_keeps_a_unit_from_starting_is_told_with_how_it_has_ended(
    unit: Any, said: str | None
) -> None:
    assert obstacle(unit) == said


@pytest.mark.parametrize(
    ("ended", "following"),
    [
        pytest.param(
            STARVED,
            "pulumi config set --path etcd:units.memory 3Gi, or more, then pulumi up",
            id="out of memory",
        ),
        pytest.param(BROKEN, None, id="another end"),
        pytest.param(None, None, id="never ended"),
    ],
)
def test_more_memory_helps_those_alone_that_were_out_of_it(
    ended: Any, following: str | None
) -> None:
    assert more_memory(pod(waiting="CrashLoopBackOff", ended=ended), "units") == following


@pytest.mark.parametrize("status", ["Unknown", "False"])
def test_a_node_that_is_not_ready_is_told_with_the_time(status: str) -> None:
    assert node_problem(node(status)) == DOWN


def test_nothing_is_said_of_a_node_that_is_ready() -> None:
    assert node_problem(node("True")) is None


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [
        pytest.param(pod(ready=True), 59.0, id="whole seconds, at least"),
        pytest.param(pod(), 0.0, id="its node has fallen silent"),
        pytest.param(pod(ready=True, ending=True), 0.0, id="ending"),
    ],
)
def test_how_long_a_unit_has_been_ready_is_what_its_condition_says(
    unit: Any, seconds: float
) -> None:
    assert ready_seconds(unit, NIGHT + timedelta(minutes=1)) == seconds


@pytest.mark.parametrize(
    ("nodes", "quorum", "said"),
    [
        pytest.param("abc", 2, [], id="one each"),
        pytest.param("aab", 2, ["etcd-0, etcd-1 are on node a"], id="two of three"),
        pytest.param("aaa", 2, ["etcd-0, etcd-1, etcd-2 are on node a"], id="all on one"),
        pytest.param("aabbc", 3, [], id="five bear the loss of two"),
        pytest.param("aaabc", 3, ["etcd-0, etcd-1, etcd-2 are on node a"], id="three of five"),
        pytest.param("ab", 2, [], id="a pair, which bears no loss anyway"),
        pytest.param("a", 1, [], id="a single one"),
        pytest.param("a--", 2, [], id="not scheduled yet"),
    ],
)
def test_a_node_that_holds_too_many_is_told(nodes: str, quorum: int, said: list[str]) -> None:
    pods = [
        SimpleNamespace(
            metadata=SimpleNamespace(name=f"etcd-{i}"),
            spec=SimpleNamespace(node_name=None if node == "-" else node),
        )
        for i, node in enumerate(nodes)
    ]
    end = ": without it there is no quorum"
    assert crowded(pods, quorum) == [f"{crowd}{end}" for crowd in said]


def running_without_a_volume() -> Any:
    unit = pod()
    unit.spec.volumes = []
    return unit


def crashing(*, volume: bool, starts: int = 7) -> Any:
    claim = SimpleNamespace(persistent_volume_claim="data-etcd-1" if volume else None)
    unit = pod(waiting="CrashLoopBackOff", ended=STARVED)
    unit.spec.volumes = [claim]
    unit.status.container_statuses[0].restart_count = starts
    return unit


@pytest.mark.parametrize(
    ("unit", "voters", "may"),
    [
        pytest.param(crashing(volume=False), None, False, id="nobody answers: it may be needed"),
        pytest.param(crashing(volume=False), {"etcd-1"}, False, id="a voter"),
        pytest.param(crashing(volume=False), {"etcd-seed-0"}, True, id="it has never voted"),
        pytest.param(crashing(volume=False, starts=0), None, True, id="it has never run"),
        pytest.param(crashing(volume=True), None, True, id="its data outlives it"),
        pytest.param(running_without_a_volume(), None, False, id="it runs"),
    ],
)
def test_no_pod_is_made_anew_with_which_data_would_go(
    unit: Any, voters: set[str] | None, may: bool
) -> None:
    assert may_be_recreated(unit, voters) is may


@pytest.mark.parametrize(
    ("waiting", "after", "may"),
    [
        pytest.param("ErrImagePull", 1, True, id="the first pull has failed"),
        pytest.param("ImagePullBackOff", 9, True, id="before the second"),
        pytest.param("ErrImagePull", 21, False, id="it has failed again"),
        pytest.param("InvalidImageName", 1, False, id="that will never be one"),
        pytest.param(None, 1, False, id="it runs"),
    ],
)
def test_a_pull_that_has_failed_once_may_pass(waiting: str | None, after: int, may: bool) -> None:
    unit = pod(waiting=waiting)
    unit.status.conditions[0].last_transition_time = NIGHT
    assert may_pass(unit, NIGHT + timedelta(seconds=after)) is may


@pytest.mark.parametrize(
    ("template", "ending", "found"),
    [
        pytest.param("r1", False, True, id="of an older template"),
        pytest.param("r2", False, False, id="of the template of now"),
        pytest.param("r1", True, False, id="it is ending"),
    ],
)
def test_only_an_older_template_is_what_keeps_a_pod_from_starting(
    template: str, ending: bool, found: bool
) -> None:
    unit = crashing(volume=True)
    unit.metadata.labels = {"controller-revision-hash": template}
    unit.metadata.deletion_timestamp = NIGHT if ending else None
    assert stuck([unit], "r2", None) == ([unit] if found else [])


def made(*, node: str | None = None, late: bool = False, **how: Any) -> Any:
    """A pod on this node; `late`: it was to have ended a second ago."""
    found = namespace.pod("etcd-1", **how)
    found.spec.node_name = node
    if late:
        found.metadata.deletion_timestamp = namespace.NOW - timedelta(seconds=1)
    return found


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(made(node="a"), True, id="it runs"),
        pytest.param(made(node="a", unheard=True), False, id="it ran when it was last heard"),
        pytest.param(made(node="a", ending=True), True, id="it ends in its time"),
        pytest.param(made(node="a", late=True), False, id="its time is over"),
        pytest.param(made(node="a", waiting="ContainerCreating"), True, id="it is being started"),
        pytest.param(made(node="a", waiting="ErrImagePull"), False, id="it cannot start"),
        pytest.param(made(gated=True), False, id="there is no room for it"),
    ],
)
def test_who_is_on_the_way(found: Any, expected: bool) -> None:
    assert on_the_way(found, namespace.NOW) is expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(made(node="a", unheard=True), True, id="its node is silent"),
        pytest.param(made(node="a"), False, id="not ready, as its node says"),
        pytest.param(made(node="a", ready=True), False, id="ready"),
        pytest.param(made(node="a", unheard=True, ending=True), False, id="told to end already"),
        pytest.param(made(gated=True), False, id="never on a node"),
    ],
)
def test_who_is_not_heard_of(found: Any, expected: bool) -> None:
    """Kubernetes withdraws a pod's condition with its node, for no reason that it would name."""
    assert unheard(found) is expected
