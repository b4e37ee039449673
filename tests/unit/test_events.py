"""What is read of events about pods that do not come."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from kubernetes.client import ApiException

from components.birth import bootstrap
from components.kube.events import failed_pulls, newest_warning
from components.progress import SequenceError, Unmet
from tests.support.namespace import NOW, Namespace, event, pod

GONE = 'Failed to pull image "etcd": not found'
UID = "uid-of-etcd-seed-0"


@pytest.mark.parametrize(
    ("events", "times"),
    [
        pytest.param([event("etcd-seed-0", GONE)], 1, id="once"),
        pytest.param([event("etcd-seed-0", GONE, count=2)], 2, id="twice, in the same words"),
        pytest.param(
            [event("etcd-seed-0", f"{GONE}: port {port}") for port in (4, 5)],
            2,
            id="twice, in other words",
        ),
        pytest.param(
            [event("etcd-seed-0", f"(combined from similar events): {GONE}", count=7)],
            7,
            id="often",
        ),
        pytest.param([event("etcd-seed-0", GONE, count=None)], 1, id="without a count"),
        pytest.param(
            [event("etcd-seed-0", GONE, container=name) for name in ("etcd", "proxy")],
            1,
            id="once each of two containers",
        ),
        pytest.param(
            [event("etcd-seed-0", f"Error: {why}") for why in ("ErrImagePull", "ImagePullBackOff")],
            0,
            id="what follows from it",
        ),
        pytest.param([event("etcd-seed-1", GONE, count=2)], 0, id="of another pod"),
    ],
)
def test_pulls_are_counted_when_they_have_failed(events: list[Any], times: int) -> None:
    assert failed_pulls(events).get(UID, 0) == times


@pytest.mark.parametrize("times", [1, 2])
def test_a_birth_goes_on_until_the_second_pull_has_failed(times: int) -> None:
    seed = pod("etcd-seed-0", waiting="ErrImagePull")
    kube = Namespace(pods=[seed], events=[event("etcd-seed-0", GONE, count=times)])
    if times == 1:
        found = bootstrap.with_troubles(kube, Unmet("waiting"))
        assert isinstance(found, Unmet)
        assert found.reason == "waiting; etcd-seed-0: ErrImagePull"
    else:
        with pytest.raises(SequenceError, match="pod etcd-seed-0: ErrImagePull"):
            bootstrap.with_troubles(kube, Unmet("waiting"))
    assert len(kube.selected) == 1


def test_events_are_asked_for_only_where_a_pull_has_failed() -> None:
    kube = Namespace(pods=[pod("etcd-seed-0")])
    bootstrap.with_troubles(kube, Unmet("waiting"))
    assert kube.selected == []


def waiting(*, reason: str | None = "ContainerCreating", node: str | None = "a") -> Any:
    """A seed's pod that has been on this node for a minute."""
    seed = pod("etcd-seed-0", waiting=reason)
    seed.spec.node_name = node
    if node is None:
        seed.status.container_statuses, seed.status.phase = [], "Pending"
    scheduled = NOW - timedelta(minutes=1)
    seed.status.conditions.append(
        SimpleNamespace(
            type="PodScheduled",
            status=str(node is not None),
            reason=None if node else "SchedulingGated",
            message=None if node else "Scheduling is blocked due to non-empty scheduling gates",
            last_transition_time=scheduled,
        )
    )
    return seed


class OnAGoodNode(Namespace):
    def _node_problem(self, name: str) -> None:
        return None


NO_DISK = event(
    "data-etcd-seed-0", "no space", kind="PersistentVolumeClaim", reason="ProvisioningFailed"
)
MOUNT = event("etcd-seed-0", "timed\nout", reason="FailedMount")


@pytest.mark.parametrize(
    ("seed", "warnings", "told"),
    [
        pytest.param(waiting(), [], None, id="none"),
        pytest.param(waiting(), [MOUNT], "FailedMount: timed out", id="of a pod on a node"),
        pytest.param(waiting(), [NO_DISK], None, id="of its claim, which is bound by now"),
        pytest.param(
            waiting(),
            [event("etcd-seed-0", "no node", reason="FailedScheduling")],
            None,
            id="of when it had no node, however late it is said",
        ),
        pytest.param(
            waiting(),
            [MOUNT, event("etcd-seed-0", "not attached", at=NOW - timedelta(seconds=9))],
            "FailedMount: timed out",
            id="the newest of two",
        ),
        pytest.param(
            waiting(node=None), [NO_DISK], "ProvisioningFailed: no space", id="of the claim"
        ),
        pytest.param(
            waiting(node=None),
            [NO_DISK, event("etcd-seed-0", "too slow", reason="FailedScheduling", at=None)],
            "FailedScheduling: too slow",
            id="its own before that of the claim",
        ),
        pytest.param(waiting(node=None), [event("etcd-seed-1", "x")], None, id="of another"),
    ],
)
def test_the_newest_warning_says_what_a_pod_waits_for(
    seed: Any, warnings: list[Any], told: str | None
) -> None:
    assert newest_warning(warnings, seed) == told


@pytest.mark.parametrize(
    ("seed", "told"),
    [
        pytest.param(
            waiting(node=None),
            "etcd-seed-0: Pending (ProvisioningFailed: no space)",
            id="its gate is off, whose word stands on",
        ),
        pytest.param(waiting(), "etcd-seed-0: ContainerCreating (FailedMount: timed out)", id="on"),
    ],
)
def test_a_pod_that_says_nothing_of_itself_is_told_with_kubernetes_newest_warning(
    seed: Any, told: str
) -> None:
    kube = OnAGoodNode(events=[NO_DISK, MOUNT] if seed.spec.node_name else [NO_DISK])
    assert kube.troubles([seed]) == [told]
    assert kube.selected == ["type=Warning"]


def test_who_may_not_list_events_is_told_the_rest() -> None:
    kube: Any = Namespace()
    kube.events = Mock(side_effect=ApiException(403))
    assert kube.troubles([waiting(node=None)]) == ["etcd-seed-0: Pending"]


def test_no_event_is_asked_for_while_there_is_news_or_the_pod_has_a_reason() -> None:
    kube = Namespace()
    kube.troubles([waiting(node=None)], still=False)
    kube.troubles([pod("etcd-seed-0", waiting="CrashLoopBackOff"), pod("etcd-seed-1")])
    assert kube.selected == []
