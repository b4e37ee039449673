"""Whether Kubernetes wants a member: the rule, on its StatefulSet, and an API that is silent."""

from __future__ import annotations

from typing import Any

import pytest

from containers.etcd.supervisor import kubernetes
from containers.etcd.supervisor.kubernetes import LEAVING_ANNOTATION, wanted


def stateful_set(replicas: int | None = 3, **metadata: Any) -> dict[str, Any]:
    spec = {} if replicas is None else {"replicas": replicas}
    return {"metadata": {"name": "etcd", **metadata}, "spec": spec}


@pytest.mark.parametrize(
    ("found", "ordinal", "expected"),
    [
        pytest.param(stateful_set(3), 2, True, id="the last of three"),
        pytest.param(stateful_set(3), 3, False, id="one too many"),
        pytest.param(stateful_set(0), 0, False, id="scaled to nothing"),
        pytest.param(stateful_set(None), 0, True, id="Kubernetes' default is one"),
        pytest.param(stateful_set(None), 1, False, id="and no more"),
        pytest.param(
            stateful_set(3, deletionTimestamp="2026-01-01T00:00:00Z"), 0, None, id="being deleted"
        ),
        pytest.param(
            stateful_set(3, annotations={LEAVING_ANNOTATION: "2"}), 2, False, id="is leaving"
        ),
        pytest.param(
            stateful_set(3, annotations={LEAVING_ANNOTATION: "2"}), 1, True, id="another leaves"
        ),
        pytest.param(stateful_set(3, annotations={"x": "y"}), 1, True, id="other annotations"),
        pytest.param(
            {"metadata": {}, "spec": {"replicas": 2, "ordinals": {"start": 5}}},
            6,
            True,
            id="ordinals begin at five",
        ),
        pytest.param(
            {"metadata": {}, "spec": {"replicas": 2, "ordinals": {"start": 5}}},
            7,
            False,
            id="and end at six",
        ),
        pytest.param([], 0, None, id="a list"),
        pytest.param({"kind": "Status", "metadata": {}}, 0, None, id="another kind"),
        pytest.param({"metadata": None, "spec": {}}, 0, None, id="no metadata"),
        pytest.param({"metadata": {}, "spec": {"replicas": "3"}}, 0, None, id="no number"),
    ],
)
def test_a_member_is_wanted_as_long_as_its_ordinal_is(
    found: Any, ordinal: int, expected: bool | None
) -> None:
    assert wanted(found, ordinal) is expected


@pytest.mark.parametrize(
    ("attempts", "answer"), [(1, None), (2, None), (3, False)], ids=["1", "2", "3"]
)
def test_an_api_that_does_not_answer_is_asked_as_often_as_it_matters(
    attempts: int, answer: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_which: object) -> bool:
        calls.append(1)
        if len(calls) < 3:
            raise TimeoutError
        return False

    calls: list[int] = []
    monkeypatch.setattr(kubernetes, "_asked", asked)
    monkeypatch.setattr(kubernetes, "PAUSE_SECONDS", 0)
    assert kubernetes.wants("etcd", "etcd", 2, attempts=attempts) is answer
