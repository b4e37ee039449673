"""Runs scenarios one after the other on one cluster, and says how each went."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lab import lifecycle
from lab.state import Lab
from tests.faults.broken import Broken
from tests.faults.cluster import Cluster
from tests.faults.patching import patched_program
from tests.faults.run import Run
from tests.faults.scenario import Outcome, Scenario, Verdict
from tests.support.stack import CHECKOUT, Stack, environment

NAME = "faults"
"""Of the lab and of the stack in it."""

Say = Callable[[str], None]


def say(line: str) -> None:
    sys.stdout.write(f"faults: {line}\n")
    sys.stdout.flush()


@contextmanager
def own_lab(*, keep: bool) -> Generator[tuple[Lab, Path]]:
    """A lab of this suite's own, and a folder for what the runs write.

    `keep` leaves both, with the cluster, for a look and for the next run.
    """
    lab = lifecycle.up(NAME, report=say)
    folder = Path(tempfile.gettempdir()) / f"etcd-{lab.state.name}"
    try:
        yield lab, folder
    finally:
        if not keep:
            lifecycle.down(NAME, report=say)
            shutil.rmtree(folder, ignore_errors=True)


def cluster_on(lab: Lab, folder: Path, program: Path = CHECKOUT) -> Cluster:
    """The suite's stack, new or as an earlier run has left it."""
    env = environment(lab.files / "env")
    home = folder / "stack"
    known = (home / f"Pulumi.{NAME}.yaml").exists() and _has_stack(lab)
    if not known:
        shutil.rmtree(folder, ignore_errors=True)
    return Cluster(lab, Stack(NAME, env, home, program=program, known=known))


def _has_stack(lab: Lab) -> bool:
    return any((lab.files / "state-backend").rglob(f"{NAME}.json"))


def run_all(
    cluster: Cluster,
    scenarios: Iterable[Scenario],
    folder: Path,
    *,
    repeat: int = 1,
    rounds: int | None = None,
    report: Say = say,
) -> list[Outcome]:
    """Run each scenario so often; `rounds` instead of its own number of rounds."""
    outcomes: list[Outcome] = []
    for scenario in scenarios:
        for number in range(1, repeat + 1):
            report(f"{scenario.key} {scenario.title}, run {number} of {repeat}")
            place = Path(tempfile.mkdtemp(prefix=f"{scenario.key}-", dir=_made(folder / "runs")))
            outcome = _run(cluster, scenario, place, rounds or scenario.rounds, report)
            outcomes.append(outcome)
            for line in _told(outcome):
                report(f"    {line}")
    return outcomes


def _run(cluster: Cluster, scenario: Scenario, place: Path, rounds: int, report: Say) -> Outcome:
    if not scenario.from_nothing:
        try:
            cluster.make_well()
        except AssertionError as failure:
            return Outcome(scenario, error=f"{failure}\nno cluster to begin with")
    return Run(cluster, place, rounds, report).play(scenario)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _told(outcome: Outcome) -> list[str]:
    lines = [f"{step.fault}: gap {_seconds(step.gap_seconds)}" for step in outcome.steps]
    lines += [*outcome.notes, *outcome.problems[:5], *outcome.error.splitlines()[-25:]]
    return [*lines, str(outcome.verdict)]


def _seconds(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f} s"


def run_broken(
    lab: Lab, folder: Path, broken: Broken, scenarios: Iterable[Scenario]
) -> list[Outcome]:
    """Run the scenarios that must find this build out."""
    program = folder.with_name(f"{folder.name}-{broken.name}")
    shutil.rmtree(program, ignore_errors=True)
    patched_program(CHECKOUT, program, *broken.patches)
    cluster = cluster_on(lab, folder, program)
    try:
        # From nothing, so that no member of a whole build is among them.
        cluster.reset()
        return run_all(cluster, [replace(s, rounds=broken.rounds) for s in scenarios], folder)
    finally:
        cluster.reset()
        shutil.rmtree(program)


def all_found_out(outcomes: Iterable[Outcome]) -> bool:
    """Whether every scenario was red, and none for the suite's own failure."""
    return all(outcome.verdict is Verdict.RED for outcome in outcomes)


def all_green(outcomes: Iterable[Outcome]) -> bool:
    return all(outcome.verdict is Verdict.GREEN for outcome in outcomes)
