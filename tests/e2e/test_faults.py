"""A short selection of the fault suite, a round each, on the tests' lab. The rest: make faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab.state import Lab
from tests.faults.catalogue import SHORT, chosen
from tests.faults.cluster import Cluster
from tests.faults.report import table
from tests.faults.scenario import Scenario, Verdict
from tests.faults.suite import run_all
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def cluster(
    lab: Lab, env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    stack = Stack("faults", env, tmp_path_factory.mktemp("faults") / "stack")
    stack.up()
    yield Cluster(lab, stack)
    stack.remove()


@pytest.mark.alone
@pytest.mark.parametrize(
    "scenario", chosen(SHORT), ids=lambda scenario: f"{scenario.key} {scenario.title}"
)
def test_the_cluster_stands_it(scenario: Scenario, cluster: Cluster, tmp_path: Path) -> None:
    outcomes = run_all(cluster, [scenario], tmp_path, rounds=1)
    assert outcomes[0].verdict is Verdict.GREEN, table(outcomes)
