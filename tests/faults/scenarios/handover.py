"""The passage from seeds to units while something is wrong."""

from __future__ import annotations

import re
import time

from tests.faults.cluster import MEMBERS, SEEDS, UNITS
from tests.faults.etcd_api import Listed, NoAnswerError, listed
from tests.faults.injection.packets import cut_off
from tests.faults.run import Run
from tests.faults.scenario import Scenario
from tests.support.stack import until

_UNIT = "etcd-1"
_DEADLINE_SECONDS = 45
_UP_SECONDS = 150.0


def unit_unhealthy(run: Run) -> None:
    """One unit is cut off as soon as all of them vote: no living seed goes, `up` says which unit
    and why within its deadline, and the next `up` finishes."""
    cluster, stack = run.cluster, run.stack
    with run.first_up(deadline_seconds=_DEADLINE_SECONDS) as up:
        up.wait_for("is born", _UP_SECONDS)
        until("all units vote", lambda: _all_vote(run), 90)
        began = time.monotonic()
        with cut_off(run.lab, cluster.pod(_UNIT)["status"]["podIP"]):
            done = up.result(_DEADLINE_SECONDS + 30)
            assert done.code != 0, f"`up` succeeded with a unit that is cut off: {done}"
            reason = reason_for(done.output, _UNIT)
            assert reason.startswith("not healthy: "), f"not said of {_UNIT} what is wrong: {done}"
            assert "Next:" in done.output, f"no next step: {done}"
            seeds = [m.pod for m in _list(run) if m.pod in SEEDS]
            assert sorted(seeds) == sorted(SEEDS), f"seeds were removed: left are {seeds}"
        run.notes.append(f"`up` failed {time.monotonic() - began:.0f} s after the cut: {reason}")
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


def _all_vote(run: Run) -> bool:
    return {m.pod for m in _list(run) if not m.learner and m.name} >= {*UNITS}


def reason_for(output: str, unit: str) -> str:
    """What the error of a handover that has given up says of a unit; nothing if it does not."""
    for line in output.splitlines():
        _, _, reasons = line.partition("not balanced after")[2].partition(": ")
        for reason in reasons.split("; "):
            if re.search(rf"\b{unit}\b", reason):
                return reason
    return ""


SCENARIOS = (
    Scenario("18", "unit unhealthy when the handover begins", unit_unhealthy, from_nothing=True),
)
