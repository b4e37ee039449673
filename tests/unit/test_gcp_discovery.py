"""Bodies are held against Google's discovery documents as the APIs would hold them."""

from __future__ import annotations

from typing import Any

import pytest

from lab.plugins.gcp import discovery


@pytest.mark.parametrize(
    ("body", "path", "says"),
    [
        pytest.param({"colour": "blue"}, "colour", "is no field of Cluster", id="unknown field"),
        pytest.param(
            {"releaseChannel": {"name": "x"}},
            "releaseChannel.name",
            "is no field of ReleaseChannel",
            id="unknown field inside",
        ),
        pytest.param(
            {"endpoint": "10.0.0.1"}, "endpoint", "is set by Google alone", id="output only"
        ),
        pytest.param(
            {"defaultMaxPodsConstraint": {"maxPodsPerNode": "many"}},
            "defaultMaxPodsConstraint.maxPodsPerNode",
            "allowed: an integer",
            id="a number that is carried as text",
        ),
        pytest.param({"initialNodeCount": 2**31}, "initialNodeCount", "an integer", id="too large"),
        pytest.param(
            {"maintenancePolicy": {"window": {"recurringWindow": {"window": {"startTime": "3"}}}}},
            "maintenancePolicy.window.recurringWindow.window.startTime",
            "a time as",
            id="no time",
        ),
        pytest.param(
            {"resourceLabels": {"team": 1}}, "resourceLabels.team", "a text", id="in a mapping"
        ),
        pytest.param({"locations": [1]}, "locations[0]", "a text is expected", id="in a list"),
    ],
)
def test_what_an_api_would_refuse_is_told(body: dict[str, Any], path: str, says: str) -> None:
    ((where, wrong),) = discovery.check(body, "container.v1", "Cluster")
    assert where == path
    assert says in wrong


def test_numbers_pass_where_json_carries_them_as_text() -> None:
    body = {"defaultMaxPodsConstraint": {"maxPodsPerNode": 32}}
    assert discovery.check(body, "container.v1", "Cluster") == []


def test_required_fields_are_those_of_the_document() -> None:
    found = discovery.check({"serviceAccount": {}}, "iam.v1", "CreateServiceAccountRequest")
    assert found == [
        (
            "accountId",
            "is not set; Google's API requires it in CreateServiceAccountRequest",
        )
    ]
