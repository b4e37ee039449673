"""What is read of events about pods that do not come."""

from __future__ import annotations

from typing import Any

import pytest

from components.birth import bootstrap
from components.kube.events import failed_pulls
from components.progress import SequenceError, Unmet
from tests.support.namespace import Namespace, event, pod

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
