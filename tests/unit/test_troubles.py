"""What is said of a unit that is not ready, by its pod and by its node, and what helps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from components.kube.pods import obstacle
from components.kube.troubles import (
    crowded,
    more_memory,
    node_problem,
    remedy,
    trouble,
    words,
)
from tests.support import namespace
from tests.support.unit_pod import BROKEN, NIGHT, STARVED, pod

DOWN = "node a is not ready since 2026-11-27 03:12:40 UTC (NodeStatusUnknown)"


def gated_before() -> Any:
    """Kubernetes goes on saying that it was held, until the scheduler has come to it."""
    found = pod(runs=False, why="Scheduling is blocked due to non-empty scheduling gates")
    found.status.conditions[0].reason = "SchedulingGated"
    found.status.container_statuses = None
    return found


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
        pytest.param(gated_before(), None, "etcd-1: Pending", id="its gate is off"),
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


@pytest.mark.parametrize(
    ("seed", "following"),
    [
        pytest.param(
            namespace.pod("etcd-seed-1", waiting="CrashLoopBackOff", starved=True),
            "pulumi config set --path etcd:seeds.memory 2Gi, or more, then pulumi up",
            id="out of memory",
        ),
        pytest.param(
            namespace.pod("etcd-seed-1", waiting="ImagePullBackOff"),
            "check image.registry, image.digest and the right to pull, which the nodes have or "
            "image.pullSecrets give, then pulumi up",
            id="no image",
        ),
        pytest.param(
            namespace.pod("image-cache-seed-1", waiting="CrashLoopBackOff"),
            "pulumi up",
            id="no image, but by its name",
        ),
    ],
)
def test_what_helps_a_pod_that_does_not_start(seed: Any, following: str) -> None:
    assert obstacle(seed)
    assert remedy(seed, "seeds") == following
