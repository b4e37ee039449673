"""An etcd version that may not follow the one that runs is refused before anything is touched.

Kubernetes and etcd are left out: their answers are given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.output import Unknown

from components.change import preview
from components.dynamic.preflight import PreflightProvider
from components.preflight import versions
from components.progress import SequenceError, Unmet
from containers.etcd.supervisor.membership import View
from tests.support.dynamic import inputs
from tests.support.views import member, view


def running(*found: str) -> View:
    """Units of those versions; empty: that one does not answer."""
    silent = [10 + i for i, version in enumerate(found) if not version]
    seen = view([member(10 + i, f"etcd-{i}") for i in range(len(found))], silent=silent)
    statuses = {i: replace(s, version=found[i - 10]) for i, s in seen.statuses.items()}
    return replace(seen, statuses=statuses)


# ---------------------------------------------------------------- the rule


@pytest.mark.parametrize(
    ("wanted", "seen", "following"),
    [
        pytest.param("3.7.1", running("3.5.33", "3.5.33"), "3.6.14", id="a minor is left out"),
        pytest.param("3.7.1", running("3.6.14", "3.5.33", "3.6.14"), "3.6.14", id="one is behind"),
        pytest.param("3.6.14", running("3.7.1", "3.7.1"), "3.7.1", id="back"),
        pytest.param("3.6.14", running("3.7.1", "3.7.2"), "3.7.2", id="back, to no older patch"),
        pytest.param("3.5.33", running("3.7.1", "3.6.14"), "3.6.14", id="back by two"),
        pytest.param("3.6.14", running("", "", "3.7.1"), "3.7.1", id="the others do not answer"),
    ],
)
def test_no_minor_is_left_out_and_none_comes_back(wanted: str, seen: View, following: str) -> None:
    with pytest.raises(versions.VersionStepError) as failure:
        versions.require(wanted, seen, grows=False)
    assert f"etcd:etcd.version is {wanted}, and members run 3." in failure.value.problem
    command = failure.value.next_step.split(",")[0]
    assert command == f"pulumi config set --path etcd:etcd.version {following}"


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        pytest.param("3.7.1", running("3.6.14", "3.6.14"), id="the next minor"),
        pytest.param("3.6.15", running("3.6.14", "3.6.14"), id="the next patch"),
        pytest.param("3.6.14", running("3.6.20", "3.6.20"), id="an older patch"),
        pytest.param("3.7.1", running("3.7.1", "3.6.14", "3.6.14"), id="on, after the first unit"),
        pytest.param("3.6.14", running("3.7.1", "3.6.14", "3.6.14"), id="back from the first unit"),
        pytest.param("3.7.1", running("3.9.0", "3.6.14-patched"), id="a build of somebody's own"),
        pytest.param("3.7.1", running("", ""), id="nobody answers"),
        pytest.param("3.10.0", running("3.9.1"), id="two digits"),
    ],
)
def test_every_other_step_is_let(wanted: str, seen: View) -> None:
    versions.require(wanted, seen, grows=False)


def test_no_unit_is_added_among_members_of_which_some_allow_one_learner_alone() -> None:
    for seen in (running("3.5.33", "3.5.33", "3.5.33"), running("3.6.14", "3.5.33", "3.5.33")):
        with pytest.raises(versions.VersionStepError) as failure:
            versions.require("3.6.14", seen, grows=True)
        assert "etcd:units.count grows" in failure.value.problem
        assert failure.value.next_step.startswith("pulumi config set --path etcd:etcd.version 3.5.")
    versions.require("3.5.34", running("3.5.33", "3.5.33"), grows=True)
    versions.require("3.7.1", running("3.6.14", "3.6.14"), grows=True)


# ---------------------------------------------------------------- where it is asked


def answers(found: Any) -> Callable[..., Any]:
    def whatever_is_asked(*_: object, **__: object) -> Any:
        return found

    return whatever_is_asked


def let_answer(monkeypatch: pytest.MonkeyPatch, seen: View | Unmet) -> None:
    """The cluster that a preview sees."""
    kube = SimpleNamespace(version=str, pods=answers([]))
    monkeypatch.setattr(preview, "Kube", answers(kube))
    monkeypatch.setattr(preview, "Cluster", answers(SimpleNamespace(view=lambda: seen)))


def compare(before: str | None, now: str, **more: Any) -> bool | None:
    """What `pulumi preview`, and `up` before it changes any object, ask the preflight."""
    olds = inputs(PreflightProvider, version=before)
    if before is None:
        del olds["version"]
    return (
        PreflightProvider().diff("x", olds, inputs(PreflightProvider, version=now, **more)).changes
    )


@pytest.mark.parametrize("noted", ["3.6.14", None], ids=["noted", "state of before"])
def test_the_preflight_goes_by_what_runs(
    noted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An `up` whose image could not be built has noted 3.6.14, and the members run 3.5 still."""
    let_answer(monkeypatch, running("3.5.33", "3.5.33", "3.5.33"))
    with pytest.raises(versions.VersionStepError):
        compare(noted, "3.7.1")


def test_the_preflight_sees_that_more_units_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    let_answer(monkeypatch, running("3.5.33", "3.5.33", "3.5.33"))
    with pytest.raises(versions.VersionStepError):
        compare("3.5.33", "3.6.14", unit_pods=5)
    assert compare("3.5.33", "3.6.14", unit_pods=1)


def test_a_version_that_no_unit_has_got_is_taken_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    let_answer(monkeypatch, running("3.6.14", "3.6.14", "3.6.14"))
    assert compare("3.7.1", "3.6.14")
    assert capsys.readouterr().out == ""


def test_nobody_is_asked_where_the_version_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "Kube", answers(None))
    assert compare("3.6.14", "3.6.14") is False
    assert compare("3.6.14", "3.6.14", volumes=8) is True


def test_a_cluster_that_is_not_made_yet_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "Kube", answers(None))
    assert compare("3.6.14", "3.7.1", kubeconfig=Unknown())


@pytest.mark.parametrize("where", ["Kubernetes", "etcd"])
def test_that_nobody_answers_is_said_and_is_no_error(
    where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no etcd runs the new version may be why, and its way back must be open."""
    let_answer(monkeypatch, Unmet("the cluster does not answer"))
    if where == "Kubernetes":

        def fail(*_: object, patient: bool) -> None:
            assert not patient, "a person waits for the preview"
            raise SequenceError("the cluster does not answer", "wait")

        monkeypatch.setattr(preview, "Kube", fail)
    assert compare("3.7.1", "3.6.14")
    said = capsys.readouterr().out
    expected = "whether etcd 3.6.14 may follow what the members run is not known: the cluster does"
    assert expected in said
