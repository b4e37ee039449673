"""Handover and scale-down cut off after every single call that they make, then `up` again.

The points are not written down anywhere: the first run is cut after its first call, the next after
its second, until one makes fewer calls than that and ends by itself.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.cluster import SEEDS, UNITS, unit_names
from tests.faults.early_ends import none_ends_early
from tests.faults.injection import cuts
from tests.faults.patching import Patch, patched_program
from tests.faults.run import Run
from tests.faults.scenario import Scenario, SuiteError
from tests.support.stack import until

_MORE = 5
_UP_SECONDS = 150.0
_GAP_SECONDS = 0.5


class _Cuts:
    """The folder in which a sequence of the copied program finds where it is to be cut."""

    def __init__(self, folder: Path, sequence: str) -> None:
        self._calls = folder / f"{sequence}.calls"
        self._cut = folder / f"{sequence}.cut"

    def after(self, number: int) -> None:
        """Cut the next run after so many calls."""
        self._calls.unlink(missing_ok=True)
        self._cut.write_text(str(number))

    def made(self) -> str:
        """The call after which the run was cut; nothing if it made fewer. Ends the cutting."""
        was_cut = not self._cut.exists()
        self._cut.unlink(missing_ok=True)
        return self._calls.read_text().splitlines()[-1] if was_cut else ""


SEQUENCES = {
    "handover": "components/change/handover.py",
    "scale": "components/change/scale.py",
}
"""What can be cut, and the module of the product that it is in."""


def patches(sequence: str) -> tuple[Patch, ...]:
    """What makes it possible to cut a sequence."""
    module = SEQUENCES[sequence]
    return (
        Patch(module, "from typing import Any\n", "from typing import Any\n\nimport cuts\n"),
        Patch(
            module,
            'kube = Kube(str(props["kubeconfig"]), site)\n',
            f'kube = cuts.watched(Kube(str(props["kubeconfig"]), site), "{sequence}")\n',
        ),
    )


@contextmanager
def _cuttable(run: Run, sequence: str) -> Generator[_Cuts]:
    """Let the stack run a copy of its program whose `sequence` can be cut."""
    folder = run.folder / "cuts"
    folder.mkdir()
    program = patched_program(run.stack.program, run.folder / "program", *patches(sequence))
    shutil.copy(cuts.__file__, program)
    with run.stack.running(program, {cuts.VARIABLE: str(folder)}):
        yield _Cuts(folder, sequence)


def handover_cut(run: Run) -> None:
    """From nothing each time."""
    with _cuttable(run, "handover") as points:
        for number in itertools.count(1):
            points.after(number)
            with run.first_up() as up, none_ends_early(run.cluster, SEEDS):
                done = up.result(_UP_SECONDS)
                call = points.made()
                _finish(run, f"handover cut after call {number}, {call}", call, done.code)
            run.conclude()
            if not call:
                _say_how_many(run, number - 1, "handover")
                return


def scale_down_cut(run: Run) -> None:
    """From five units to three each time, under one writer."""
    surplus = set(unit_names(_MORE)) - set(UNITS)
    with _cuttable(run, "scale") as points:
        for number in itertools.count(1):
            run.cluster.want(_MORE)
            run.stack.up()
            run.cluster.want(len(UNITS))
            points.after(number)
            with none_ends_early(run.cluster, surplus):
                done = run.stack.pulumi("up", "--yes", "--skip-preview")
                call = points.made()
                _finish(run, f"scale-down cut after call {number}, {call}", call, done.code)
            if not call:
                _say_how_many(run, number - 1, "scale-down")
                return


def _finish(run: Run, what: str, call: str, code: int) -> None:
    """What a cut has left is finished by the next `up`, and then nothing is left to do."""
    assert bool(code) is bool(call), f"{what}: `up` ended with exit code {code}"
    if not call:
        return
    since, began = time.time_ns(), time.monotonic()
    run.stack.up()
    run.record(what, time.monotonic() - began, since_ns=since, gap=_GAP_SECONDS)
    left = {*run.cluster.pods()} - {*UNITS}
    assert not left, f"{what}, `up` again: left are {', '.join(sorted(left))}"
    assert not run.cluster.bootstrap_token(), f"{what}, `up` again: the token is left"
    until(f"{what}, `up` again: all is well", lambda: not run.cluster.problem(), 30)
    run.stack.up("--expect-no-changes")


def _say_how_many(run: Run, calls: int, sequence: str) -> None:
    if not calls:
        raise SuiteError(f"the {sequence} makes no call that changes something")
    run.notes.append(f"the {sequence} was cut after each of its {calls} calls")


SCENARIOS = (
    Scenario("17a", "handover cut after every call", handover_cut, from_nothing=True),
    Scenario("17b", "scale-down cut after every call", scale_down_cut),
)
