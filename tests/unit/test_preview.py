"""What a preview says where no plan can be made. Kubernetes is left out: its answers are given."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.output import Unknown

from components.change import preview
from components.change.plan import Goal, Workload
from components.change.strangers import StrangerError
from components.etcd.cluster import NoUserError
from components.etcd.corruption import CorruptError
from components.etcd.lock import AnotherClusterError
from components.preflight.versions import VersionStepError
from components.progress import SequenceError
from components.site import Site
from tests.support.dynamic import SITE
from tests.support.views import member, view

PROPS: dict[str, Any] = {
    "site": SITE,
    "kubeconfig": "",
    "units": 3,
    "min_tolerance": 0,
    "version": "3.6.14",
    "cluster_id": "c1",
    "birth": "the-mark",
}


def fail_with(monkeypatch: pytest.MonkeyPatch, error: SequenceError) -> None:
    def fail(*_: object, patient: bool) -> None:
        assert not patient, "a person waits for the preview"
        raise error

    monkeypatch.setattr(preview, "Kube", fail)


def test_a_cluster_that_cannot_be_asked_is_said_and_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(monkeypatch, SequenceError("nobody answers", "wait"))
    preview.preview_scale(PROPS)
    assert "change of the count: no steps to show, nobody answers" in capsys.readouterr().out


@pytest.mark.parametrize(
    "what",
    [
        AnotherClusterError("it answers", "stop the clients"),
        StrangerError("it answers", "remove it"),
        CorruptError("it answers", "look"),
        NoUserError(Site(**SITE)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_would_end_every_sequence_stops_the_preview(
    what: SequenceError, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, what)
    with pytest.raises(type(what)):
        preview.preview_restarts({**PROPS, "template": "t1"})


def test_a_cluster_that_is_not_made_yet_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    preview.preview_scale({**PROPS, "kubeconfig": Unknown()})
    assert "the cluster is not known before it is made" in capsys.readouterr().out


# ---------------------------------------------------------------- what an earlier `up` has left


def let_answer(
    monkeypatch: pytest.MonkeyPatch,
    *,
    revisions: str = "aaa",
    leaving: int | None = None,
    down: int | None = None,
    volumes: bool = True,
    version: str = "3.6.14",
    more: int = 0,
) -> None:
    """A cluster of three units, or fewer; each runs from the template of that letter.

    `version`: of etcd, that they run. `more`: units are wanted.
    """
    silent = [] if down is None else [10 + down]
    count = len(revisions)
    seen = view([member(10 + i, f"etcd-{i}") for i in range(count)], silent=silent)
    statuses = {i: replace(status, version=version) for i, status in seen.statuses.items()}
    seen = replace(seen, statuses=statuses)
    claim = SimpleNamespace(persistent_volume_claim="claim" if volumes else None)
    loop = SimpleNamespace(
        goal=Goal(seeds="etcd-seed", units="etcd", count=count + more),
        pods=[_pod(i, revision, claim, ready=i != down) for i, revision in enumerate(revisions)],
        pods_at=datetime.now(UTC),
        look=lambda: seen,
    )
    there = Workload(count, leaving, frozenset(range(count)), serving_seeds=False)

    def answers(found: Any) -> Callable[..., Any]:
        def whatever_is_asked(*_: object, **__: object) -> Any:
            return found

        return whatever_is_asked

    monkeypatch.setattr(preview, "Kube", answers(SimpleNamespace(version=str)))
    monkeypatch.setattr(preview, "Loop", SimpleNamespace(of=answers(loop)))
    monkeypatch.setattr(preview, "workload", answers(there))


def _pod(ordinal: int, revision: str, claim: Any, *, ready: bool) -> Any:
    state = SimpleNamespace(running=object(), waiting=None)
    running = SimpleNamespace(name="etcd", state=state, ready=ready)
    condition = SimpleNamespace(
        type="Ready", status=str(ready), last_transition_time="now", reason="ContainersNotReady"
    )
    return SimpleNamespace(
        metadata=SimpleNamespace(
            name=f"etcd-{ordinal}",
            labels={"controller-revision-hash": revision},
            deletion_timestamp=None,
        ),
        spec=SimpleNamespace(volumes=[claim]),
        status=SimpleNamespace(
            init_container_statuses=None, container_statuses=[running], conditions=[condition]
        ),
    )


def test_a_changed_template_is_foretold_for_every_unit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    let_answer(monkeypatch)
    preview.preview_restarts({**PROPS, "template": "t2"})
    said = capsys.readouterr().out
    assert [f"etcd-{i} restarts" in said for i in range(3)] == [True, True, True]


def test_of_a_change_that_was_taken_back_only_what_has_it_is_foretold_to_restart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    let_answer(monkeypatch, revisions="aab", down=2)
    preview.preview_unfinished_restarts({**PROPS, "min_tolerance": 1}, "a")
    said = capsys.readouterr().out
    assert "rolling change, left unfinished by an earlier up" in said
    assert "1. etcd-2 restarts: 3 voters, 2 of them serve, quorum 2, tolerance 0" in said
    assert "2. etcd-2 is back: 3 voters, quorum 2, tolerance 1" in said
    assert "3. " not in said


def test_where_nothing_is_left_to_restart_no_tolerance_is_too_low(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unfinished scale is one for the rolling change too: it may not be refused for that."""
    let_answer(monkeypatch)
    preview.preview_unfinished_restarts({**PROPS, "min_tolerance": 1}, "a")
    assert "1. " not in capsys.readouterr().out


def test_which_units_are_left_is_not_guessed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A state that was written before it was noted which pods run with the template."""
    let_answer(monkeypatch)
    preview.preview_unfinished_restarts({**PROPS, "min_tolerance": 1}, None)
    said = capsys.readouterr().out
    assert "left unfinished by an earlier up: no steps to show" in said
    assert "1. " not in said


def test_a_unit_that_was_told_to_leave_and_stays_is_foretold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    let_answer(monkeypatch, leaving=2)
    preview.preview_scale({**PROPS, "min_tolerance": 1})
    said = capsys.readouterr().out
    assert "1. etcd-2, which was told to leave, stays: 3 voters, quorum 2, tolerance 1" in said


def test_a_unit_that_has_failed_is_not_foretold_to_get_well_by_a_scale_that_is_not_to_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    let_answer(monkeypatch, down=2)
    preview.preview_restarts({**PROPS, "template": "t3"})
    said = capsys.readouterr().out
    assert "1. etcd-2 restarts: 3 voters, 2 of them serve, quorum 2, tolerance 0" in said
    assert "2. etcd-2 is back: 3 voters, quorum 2, tolerance 1" in said


# ---------------------------------------------------------------- the last copy of the data


def test_the_restart_of_the_only_unit_without_a_volume_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_answer(monkeypatch, revisions="a", volumes=False)
    props = {**PROPS, "min_tolerance": -1}
    with pytest.raises(SequenceError, match="etcd-0 is the only unit and has no volume") as refusal:
        preview.preview_restarts({**props, "template": "t2"})
    assert refusal.value.next_step.startswith("pulumi config set --path etcd:units.count 3")
    with pytest.raises(SequenceError, match="has no volume"):
        preview.preview_unfinished_restarts(props, "b")


@pytest.mark.parametrize(
    ("volumes", "template"),
    [
        pytest.param(True, "t2", id="on a volume"),
        pytest.param(False, Unknown(), id="whether it restarts is not known"),
    ],
)
def test_any_other_restart_of_the_only_unit_is_foretold(
    volumes: bool, template: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_answer(monkeypatch, revisions="a", volumes=volumes)
    preview.preview_restarts({**PROPS, "min_tolerance": -1, "template": template})


@pytest.mark.parametrize(
    ("version", "more", "refused"),
    [
        pytest.param("3.5.33", 2, True, id="of 3.6 beside those of 3.5"),
        pytest.param("3.5.33", 0, False, id="none more"),
        pytest.param("3.6.9", 2, False, id="of the same minor"),
    ],
)
def test_no_unit_comes_whose_etcd_would_not_agree_on_who_is_a_member(
    version: str, more: int, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preflight has not seen it, where an `up` was cut off when that had passed."""
    let_answer(monkeypatch, version=version, more=more)
    with pytest.raises(VersionStepError) if refused else nullcontext():
        preview.preview_scale(PROPS)
