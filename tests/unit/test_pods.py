"""What is known of a pod: how it is, what keeps it from starting, whether it may be recreated."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from components.kube.pods import (
    may_be_recreated,
    may_pass,
    obstacle,
    on_the_way,
    pulled_in_vain,
    ready_seconds,
    stuck,
    unheard,
)
from tests.support import namespace
from tests.support.unit_pod import BROKEN, NIGHT, STARVED, pod


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


def running_without_a_volume() -> Any:
    unit = pod()
    unit.spec.volumes = []
    return unit


def crashing(*, volume: bool) -> Any:
    claim = SimpleNamespace(persistent_volume_claim="data-etcd-1" if volume else None)
    unit = pod(waiting="CrashLoopBackOff", ended=STARVED)
    unit.spec.volumes = [claim]
    unit.status.container_statuses[0].restart_count = 7
    return unit


def pulling(
    waiting: str = "ImagePullBackOff", *, starts: int = 0, ending: bool = False, ended: Any = None
) -> Any:
    """Without a volume."""
    unit = pod(waiting=waiting, ending=ending, ended=ended)
    unit.spec.volumes = []
    unit.status.container_statuses[0].restart_count = starts
    return unit


@pytest.mark.parametrize(
    ("unit", "voters", "may"),
    [
        pytest.param(crashing(volume=False), None, False, id="nobody answers: it may be needed"),
        pytest.param(crashing(volume=False), {"etcd-1"}, False, id="a voter"),
        pytest.param(crashing(volume=False), {"etcd-seed-0"}, True, id="it has never voted"),
        pytest.param(pulling(), None, True, id="it has never run"),
        pytest.param(pulling(ended=STARVED), None, False, id="it has run, and no restart counts"),
        pytest.param(crashing(volume=True), None, True, id="its data outlives it"),
        pytest.param(running_without_a_volume(), None, False, id="it runs"),
    ],
)
def test_no_pod_is_made_anew_with_which_data_would_go(
    unit: Any, voters: set[str] | None, may: bool
) -> None:
    assert may_be_recreated(unit, voters) is may


@pytest.mark.parametrize(
    ("waiting", "failed", "may"),
    [
        pytest.param("ErrImagePull", 0, True, id="nobody has said how often"),
        pytest.param("ErrImagePull", 1, True, id="the first pull has failed"),
        pytest.param("ImagePullBackOff", 1, True, id="before the second, or while that goes on"),
        pytest.param("ErrImagePull", 2, False, id="it has failed again"),
        pytest.param("ImagePullBackOff", 9, False, id="and again"),
        pytest.param("InvalidImageName", 1, False, id="that will never be one"),
        pytest.param(None, 1, False, id="it runs"),
    ],
)
def test_a_pull_that_has_failed_once_may_pass_however_late_it_began(
    waiting: str | None, failed: int, may: bool
) -> None:
    """A pod is long on its node before it is pulled for, where its volume is attached first."""
    assert may_pass(pod(waiting=waiting), {"this": failed, "another": 2}) is may


@pytest.mark.parametrize(
    ("unit", "seconds", "found"),
    [
        pytest.param(pulling(), 1, True, id="left by an earlier up"),
        pytest.param(pulling(), 0, False, id="made since: it has its own two pulls"),
        pytest.param(pulling("ContainerCreating"), 1, False, id="on its way"),
        pytest.param(pulling("CrashLoopBackOff"), 1, False, id="it has its image"),
        pytest.param(pulling(starts=1), 1, False, id="it has run, and may have written"),
        pytest.param(pulling(ended=STARVED), 1, False, id="so it has, whose restart waits for it"),
        pytest.param(pulling(ending=True), 1, False, id="another comes in its place"),
    ],
)
def test_who_waits_for_an_image_since_before_is_pulled_for_anew(
    unit: Any, seconds: float, found: bool
) -> None:
    assert pulled_in_vain(unit, NIGHT + timedelta(seconds=seconds)) is found


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
