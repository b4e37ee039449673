"""Volumes with the units' names that nobody knows. Stands in for Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from components.progress import SequenceError
from tests.support.born import BIRTH, born, steps_of_a_birth
from tests.support.namespace import (
    BEGINS,
    CAME_BACK,
    MUTE,
    NOW,
    WAITS,
    Namespace,
    claim,
    pod,
)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return steps_of_a_birth(monkeypatch)


def made_at(when: datetime, unit: str) -> Any:
    found = claim(unit)
    found.metadata.creation_timestamp = when
    return found


OLDER, YOUNGER = NOW - timedelta(days=1), NOW + timedelta(seconds=5)


@pytest.mark.parametrize("made", [None, NOW], ids=["workload not made yet", "workload made"])
def test_no_cluster_is_born_beside_data_on_volumes_that_were_there_before(
    made: Any, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one behind the same Service: clients would be led to both."""
    kube = Namespace(
        pods=[pod("etcd-0", volume=True)],
        claims=[made_at(OLDER, "etcd-0")],
        statuses={"etcd-0": [BEGINS, CAME_BACK]},
        made=made,
    )
    with pytest.raises(SequenceError) as failure:
        born(kube, monkeypatch)
    assert "volume data-etcd-0 of namespace" in failure.value.problem
    assert "delete --wait=false pvc data-etcd-0" in failure.value.next_step
    assert done == []


def test_silence_of_a_unit_on_such_a_volume_is_never_taken_for_an_empty_one(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kube = Namespace(
        pods=[pod("etcd-0", volume=True)],
        claims=[made_at(OLDER, "etcd-0"), made_at(OLDER, "etcd-1")],
        statuses={"etcd-0": [MUTE]},
    )
    with pytest.raises(SequenceError, match="no word from etcd-0, etcd-1"):
        born(kube, monkeypatch, seconds=-1)
    assert done == []


@pytest.mark.parametrize(
    ("claims", "statuses"),
    [
        pytest.param([made_at(OLDER, "etcd-0")], {"etcd-0": [MUTE, WAITS]}, id="empty"),
        pytest.param([made_at(YOUNGER, "etcd-0")], {}, id="made for the units"),
        pytest.param([made_at(OLDER, "etcd-3")], {}, id="of a unit that is not wanted"),
    ],
)
def test_volumes_without_data_are_in_nobodys_way(
    claims: Sequence[Any],
    statuses: Mapping[str, Sequence[Mapping[str, Any]]],
    done: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kube = Namespace(pods=[pod("etcd-0", volume=True)], claims=claims, statuses=statuses, made=NOW)
    assert born(kube, monkeypatch)["origin"] == "born"
    assert done == BIRTH


def test_a_unit_that_an_earlier_up_has_left_without_its_image_is_pulled_for_anew(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = pod("etcd-0", volume=True, waiting="ImagePullBackOff", made=OLDER)
    kube = Namespace(
        pods=[unit], claims=[made_at(OLDER, "etcd-0")], statuses={"etcd-0": [WAITS]}, made=NOW
    )
    assert born(kube, monkeypatch)["origin"] == "born"
    assert kube.renewed == ["etcd-0"]
    assert done == BIRTH


PULLS, STARTED_AND_CRASHES = (
    pod("etcd-0", volume=True, waiting=waiting, restarts=restarts, template="r1")
    for waiting, restarts in (("ImagePullBackOff", 0), ("CrashLoopBackOff", 3))
)


@pytest.mark.parametrize("unit", [PULLS, STARTED_AND_CRASHES], ids=["cannot start", "crashes"])
@pytest.mark.parametrize("status", [WAITS, CAME_BACK], ids=["empty", "data"])
def test_a_unit_on_such_a_volume_is_given_the_corrected_template_that_it_can_speak(
    unit: Any, status: Mapping[str, Any], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kube = Namespace(
        pods=[unit], claims=[made_at(OLDER, "etcd-0")], statuses={"etcd-0": [status]}, made=NOW
    )
    if status is WAITS:
        assert born(kube, monkeypatch)["origin"] == "born"
    else:
        with pytest.raises(SequenceError, match="volume data-etcd-0 of namespace"):
            born(kube, monkeypatch)
    assert kube.renewed == ["etcd-0"]
    assert done == (BIRTH if status is WAITS else [])


@pytest.mark.parametrize(
    ("unit", "newest"),
    [
        pytest.param(PULLS, "r1", id="of the template of now"),
        pytest.param(PULLS, None, id="its StatefulSet is not there"),
        pytest.param(pod("etcd-0", volume=True, template="r1"), "r2", id="it runs, and is silent"),
    ],
)
def test_no_other_silent_unit_is_made_anew(
    unit: Any, newest: str | None, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kube = Namespace(
        pods=[unit],
        claims=[made_at(OLDER, "etcd-0")],
        statuses={"etcd-0": [MUTE]},
        newest=newest,
    )
    with pytest.raises(SequenceError, match="no word from etcd-0") as failure:
        born(kube, monkeypatch, seconds=-1)
    assert failure.value.next_step.startswith("bring these units up, then pulumi up")
    assert (kube.renewed, done) == ([], [])
