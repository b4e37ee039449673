"""A run of the fault suite from begin to end, on etcd on loopback in the place of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from lab.tools import ensure
from tests.faults.cluster import UNITS, Cluster
from tests.faults.etcd_api import NoAnswerError, said
from tests.faults.run import Run
from tests.faults.scenario import Outcome, Scenario, Verdict
from tests.support.loopback import LoopbackEtcd, loopback_etcd
from tests.support.stack import until
from tests.support.supervisor import when_possible


@dataclass(frozen=True)
class OnLoopback:
    """What a run asks of a cluster, and of its stack."""

    etcd: LoopbackEtcd
    writer_binary: Path
    lab: None = None
    units: tuple[str, ...] = UNITS

    @property
    def stack(self) -> OnLoopback:
        return self

    def address(self) -> str:
        """All members: the Service would lead to any of them."""
        return ",".join(self.etcd.endpoints(*UNITS))

    def endpoints(self, _members: Iterable[str] = UNITS) -> list[str]:
        return self.etcd.endpoints(*UNITS)

    def problem(self) -> str:
        try:
            answers = [said(endpoint) for endpoint in self.endpoints()]
        except NoAnswerError as error:
            return str(error)
        leaders = {answer.leader for answer in answers}
        return "" if len(leaders) == 1 and "0" not in leaders else f"leaders: {leaders}"


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[LoopbackEtcd]:
    folder = tmp_path / "members"
    folder.mkdir()
    with loopback_etcd(ensure(["etcd", "etcdctl"]), folder, UNITS) as members:
        members.start(*UNITS, cluster=UNITS)
        yield members


@pytest.fixture
def play(etcd: LoopbackEtcd, tmp_path: Path) -> Callable[[Callable[[Run], None]], Outcome]:
    cluster = OnLoopback(etcd, ensure(["writer"])["writer"])
    until("a leader", lambda: not cluster.problem())

    def played(faults: Callable[[Run], None]) -> Outcome:
        run = Run(cast("Cluster", cluster), tmp_path / "run")
        return run.play(Scenario("0", "on loopback", faults))

    return played


def test_a_killed_leader_is_green_with_its_gap_and_its_time_to_heal(
    play: Callable[[Callable[[Run], None]], Outcome], etcd: LoopbackEtcd
) -> None:
    def faults(run: Run) -> None:
        with run.fault("killed", gap=20, heal=60):
            leader = etcd.leader(UNITS)
            etcd.kill(leader)
            etcd.start(leader, cluster=UNITS)

    outcome = play(faults)
    assert outcome.verdict is Verdict.GREEN, outcome
    (step,) = outcome.steps
    assert step.gap_seconds is not None
    assert step.heal_seconds is not None
    assert 0.1 < step.gap_seconds < 20
    assert 0.1 < step.heal_seconds < 60


def test_a_limit_that_is_not_kept_is_red(
    play: Callable[[Callable[[Run], None]], Outcome], etcd: LoopbackEtcd
) -> None:
    def faults(run: Run) -> None:
        with run.fault("killed", gap=0.0001):
            etcd.kill("etcd-0")
            etcd.start("etcd-0", cluster=UNITS)

    outcome = play(faults)
    assert outcome.verdict is Verdict.RED
    assert "without an acknowledged write, allowed are 0.0001 s" in outcome.problems[0]


def test_a_lost_write_is_red(
    play: Callable[[Callable[[Run], None]], Outcome], etcd: LoopbackEtcd
) -> None:
    def faults(_: Run) -> None:
        when_possible(lambda: etcd.ctl("del", "--prefix", "/writer/", at=UNITS))

    outcome = play(faults)
    assert outcome.verdict is Verdict.RED
    # A member that is late says something else.
    assert any("is missing" in problem for problem in outcome.problems)


def test_what_a_scenario_asserts_is_red_and_what_it_stumbles_over_is_an_error(
    play: Callable[[Callable[[Run], None]], Outcome],
) -> None:
    def not_so(_: Run) -> None:
        raise AssertionError("another leader")

    def stumbles(_: Run) -> None:
        raise KeyError("etcd-9")

    assert play(not_so).verdict is Verdict.RED
    assert play(stumbles).verdict is Verdict.ERROR
