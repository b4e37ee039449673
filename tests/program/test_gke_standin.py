"""The stand-in of the gcp plugin takes what the program declares, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from lab.plugins.gcp import check
from lab.plugins.gcp.types import TYPES
from tests.program.conftest import make_cluster
from tests.program.test_gke_inputs import ARGUMENTS, WAYS

BOTH = pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])


@BOTH
@WAYS
def test_everything_that_is_declared_is_what_google_takes(
    gke: dict[str, Any], preview: bool
) -> None:
    """By Google's discovery documents and the provider's rules."""
    program = make_cluster(gke=gke, preview=preview)
    declared = [r for r in program.resources if r.type.startswith("gcp:")]
    assert declared
    problems = {
        f"{resource.type}: {path}": wrong
        for resource in declared
        for path, wrong in check.problems(TYPES[resource.type], resource.inputs)
    }
    assert problems == {}


def test_the_stand_in_serves_the_types_that_are_declared_and_no_others() -> None:
    assert set(TYPES) == set(ARGUMENTS)
