"""The passage from seeds to units while something is wrong."""

from __future__ import annotations

import time

from tests.faults.cluster import MEMBERS, SEEDS
from tests.faults.etcd_api import Listed, NoAnswerError, listed
from tests.faults.injection.packets import cut_off
from tests.faults.run import Run
from tests.faults.scenario import Scenario
from tests.support.stack import until

_UNIT = "etcd-1"
_DEADLINE_SECONDS = 45
_UP_SECONDS = 150.0


def unit_unhealthy(run: Run) -> None:
    """One unit is cut off from the moment that it votes: no living seed goes, `up` says which unit
    and why within its deadline, and the next `up` finishes."""
    cluster, stack = run.cluster, run.stack
    with run.first_up(deadline_seconds=_DEADLINE_SECONDS) as up:
        up.wait_for("is born", _UP_SECONDS)
        until(f"{_UNIT} votes", lambda: _votes(run, _UNIT), 90)
        began = time.monotonic()
        with cut_off(run.lab, cluster.pod(_UNIT)["status"]["podIP"]):
            done = up.result(_DEADLINE_SECONDS + 30)
            assert done.code != 0, f"`up` succeeded with a unit that is cut off: {done}"
            assert _UNIT in done.output, f"the unit is not named: {done}"
            assert "Next:" in done.output, f"no next step: {done}"
            seeds = [m.pod for m in _list(run) if m.pod in SEEDS]
            assert sorted(seeds) == sorted(SEEDS), f"seeds were removed: left are {seeds}"
        run.notes.append(f"`up` failed {time.monotonic() - began:.0f} s after the cut")
        since = time.time_ns()
        again = stack.up()
        run.record("`up` again, the unit heard of again", again.seconds, since_ns=since, gap=0.5)


def _list(run: Run) -> tuple[Listed, ...]:
    """The list as a member that is not cut off has it."""
    for endpoint in run.cluster.endpoints(m for m in MEMBERS if m != _UNIT):
        try:
            return listed(endpoint)
        except NoAnswerError:
            continue
    return ()


def _votes(run: Run, pod: str) -> bool:
    return any(m.pod == pod and not m.learner and m.name for m in _list(run))


SCENARIOS = (
    Scenario("18", "unit unhealthy when the handover begins", unit_unhealthy, from_nothing=True),
)
