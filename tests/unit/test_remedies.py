"""The one next step after an answer of Kubernetes that is none that was hoped for."""

from __future__ import annotations

import pytest

from components.kube.remedies import of_answer


@pytest.mark.parametrize(
    ("status", "following"),
    [
        pytest.param(401, "log in to the cluster again", id="credentials have expired"),
        pytest.param(403, "grant what is missing", id="a right is missing"),
        pytest.param(404, "pulumi refresh", id="somebody deleted it"),
        pytest.param(400, "correct what it names", id="no such request"),
        pytest.param(422, "correct what it names", id="no such value"),
        *(
            pytest.param(status, "pulumi up, which goes on from here, once", id=f"{status}")
            for status in (409, 429, 500, 502, 503, 504, None)
        ),
    ],
)
def test_no_right_is_asked_for_where_none_is_missing(status: int | None, following: str) -> None:
    assert of_answer(status, "so it is").startswith(following)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            'admission webhook "validation.gatekeeper.sh" denied the request: [labels] no team',
            id="Gatekeeper",
        ),
        pytest.param(
            "statefulsets.apps \"etcd\" is forbidden: ValidatingAdmissionPolicy 'p' with binding "
            "'b' denied request: no team",
            id="a ValidatingAdmissionPolicy with the reason Forbidden",
        ),
    ],
)
def test_no_right_is_asked_for_where_an_admission_denies(said: str) -> None:
    assert of_answer(403, said).startswith("correct what it names")
