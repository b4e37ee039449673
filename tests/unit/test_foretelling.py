"""What a preview says where no plan can be made. Kubernetes is left out: its answers are given."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.output import Unknown

from components.dynamic import foretelling
from components.dynamic.lock import AnotherClusterError
from components.dynamic.progress import SequenceError
from tests.support.dynamic import SITE

PROPS: dict[str, Any] = {
    "site": SITE,
    "kubeconfig": "",
    "units": 3,
    "min_tolerance": 0,
    "cluster_id": "c1",
    "birth": "the-mark",
}


def fail_with(monkeypatch: pytest.MonkeyPatch, error: SequenceError) -> None:
    def fail(*_: object, patient: bool) -> None:
        assert not patient, "a person waits for the preview"
        raise error

    monkeypatch.setattr(foretelling, "Kube", fail)


def test_a_cluster_that_cannot_be_asked_is_said_and_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(monkeypatch, SequenceError("nobody answers", "wait"))
    foretelling.foretell_scale(PROPS)
    assert "change of the count: no steps to show, nobody answers" in capsys.readouterr().out


def test_another_cluster_stops_the_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, AnotherClusterError("cluster c2 answers", "stop the clients"))
    with pytest.raises(AnotherClusterError):
        foretelling.foretell_restarts({**PROPS, "template": "t1"})


def test_a_cluster_that_is_not_made_yet_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    foretelling.foretell_scale({**PROPS, "kubeconfig": Unknown()})
    assert "the cluster is not known before it is made" in capsys.readouterr().out
