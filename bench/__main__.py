"""`python -m bench`: from nothing to balanced, beside yardsticks of the same run.

There are no assertions on time: the figures stand beside their goals, in docs/measurements.md.
What is asserted is that no acknowledged write was lost.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import cluster, static
from bench.figures import Figure, by_name, figure_table, replace_figures, stolen_share
from bench.shell import BenchError, Shell, processor_ticks, timed_lab
from bench.stack import (
    EMPTY,
    Scaled,
    Stack,
    Up,
    alternate_no_op,
    measured_scale,
    measured_up,
)
from lab.state import CHECKOUT
from lab.tools import ensure
from tests.support.writer import Report, Summary

LAB = "bench"
DOCUMENT = CHECKOUT / "docs" / "measurements.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each (default: %(default)s)")
    repeat: int = parser.parse_args().repeat
    folder = Path(tempfile.mkdtemp(prefix="etcd-bench-"))
    try:
        text = measure(repeat, folder)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        timed_lab("down", "--name", LAB)
        shutil.rmtree(folder)
    print(text)
    DOCUMENT.write_text(replace_figures(DOCUMENT.read_text(), text))
    return 0


@dataclass
class Rounds:
    """What all rounds measured: seconds where nothing else is said."""

    statics: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    """`up` from nothing, with nothing beside it."""
    ups: list[Up] = field(default_factory=list)
    """The same under the writer."""
    scaled_alone: dict[int, list[float]] = field(default_factory=lambda: {5: [], 3: []})
    """By the number of units that it ends with."""
    scaled: dict[int, list[Scaled]] = field(default_factory=lambda: {5: [], 3: []})
    at_once: list[float] = field(default_factory=list)
    """5 -> 3 units right after 3 -> 5."""


def measure(repeat: int, folder: Path) -> str:
    """Measure everything, and return the tables."""
    before = processor_ticks()
    say("programs")
    writer = ensure(["writer"])["writer"]
    timed_lab("up", "--name", LAB)  # builds what is not built yet
    starts = [lab_start() for _ in range(repeat)]
    shell = Shell.of_lab(CHECKOUT / ".lab" / LAB / "env")
    product = Stack.create(shell, CHECKOUT, "dev", folder / "product")
    empty = Stack.create(shell, EMPTY, "dev", folder / "empty")

    say("first up: the image is built and pulled")
    first = measured_up(product, writer, folder)
    judge(first.summary, first.report)
    rounds = Rounds()
    for number in range(repeat):
        one_round(rounds, f"{number + 1} of {repeat}", product, writer, folder)
    memory = cluster.supervisor_memory(shell)
    say("up without a change, product and empty program in turn")
    no_ops, empties = alternate_no_op(product, empty, 2 * repeat + 1)
    empty.destroy()
    destroy(product)
    figures = [
        *up_figures(first, rounds),
        *scale_figures("3 -> 5 units", rounds.scaled_alone[5], rounds.scaled[5], "<= 10"),
        *scale_figures("5 -> 3 units", rounds.scaled_alone[3], rounds.scaled[3], "<= 6"),
        Figure("5 -> 3 units right after 3 -> 5", "s", tuple(rounds.at_once)),
        Figure("static StatefulSet, apply to healthy", "s", tuple(rounds.statics)),
        Figure("no-op `pulumi up`", "s", tuple(no_ops)),
        Figure("no-op `pulumi up`, empty program", "s", tuple(empties)),
        Figure("ratio of their medians", "", (ratio(no_ops, empties),), "<= 1.2"),
        Figure("embedded Kubernetes start", "s", tuple(starts), "<= 10"),
        Figure("supervisor, resident memory", "MiB", memory, "<= 30"),
    ]
    return tables(machine(repeat, stolen_share(before, processor_ticks())), figures, rounds)


def one_round(rounds: Rounds, number: str, product: Stack, writer: Path, folder: Path) -> None:
    """Each measurement that begins with an empty Kubernetes, once; leaves the cluster there."""
    image = cluster.units_image(product.shell)
    destroy(product)
    say(f"static StatefulSet, {number}")
    rounds.statics.append(static.measure(product.shell, image))
    say(f"up from nothing, nothing beside it, {number}")
    rounds.alone.append(product.up().seconds)
    for count, seconds in rounds.scaled_alone.items():
        say(f"{count} units, nothing beside it, {number}")
        cluster.wait_until_settled(product.shell)
        seconds.append(_scale(product, count))
    say(f"3 units right after 5, {number}")
    _scale(product, 5)
    rounds.at_once.append(_scale(product, 3))
    destroy(product)
    say(f"up from nothing under the writer, {number}")
    up = measured_up(product, writer, folder)
    rounds.ups.append(up)
    say(f"{up.seconds:.1f} s")
    judge(up.summary, up.report)
    for count, runs in rounds.scaled.items():
        say(f"{count} units under the writer, {number}")
        cluster.wait_until_settled(product.shell)
        runs.append(measured_scale(product, count, writer, folder))
        judge(runs[-1].summary, runs[-1].report)


def tables(machine: str, figures: list[Figure], rounds: Rounds) -> str:
    """What docs/measurements.md has between its marks."""
    phases = by_name([up.phases for up in rounds.ups])
    return "\n\n".join(
        [
            machine,
            figure_table(figures),
            "`pulumi up` from nothing to balanced, by phases:",
            figure_table(Figure(phase, "s", values) for phase, values in phases.items()),
        ]
    )


def _scale(product: Stack, count: int) -> float:
    product.set_units(count)
    return product.up().seconds


def up_figures(first: Up, rounds: Rounds) -> list[Figure]:
    """What the writer and the clock saw of the counted runs."""
    ups = rounds.ups

    def of(what: str, unit: str, values: list[float], goal: str = "") -> Figure:
        return Figure(what, unit, tuple(values), goal)

    return [
        of("`pulumi up`, nothing to balanced", "s", rounds.alone, "<= 25"),
        of("the same under the writer", "s", [up.seconds for up in ups]),
        of("the same, image built and pulled first", "s", [first.seconds]),
        of("longest silence in the output of that", "s", [first.silence_seconds], "<= 10"),
        of("handover", "s", [up.handover_seconds for up in ups], "<= 7"),
        of("longest gap in it", "s", [up.handover_gap_seconds for up in ups], "<= 0.5"),
        of("longest gap, birth to end", "s", [up.summary.longest_gap_seconds for up in ups]),
        of("acknowledged writes", "", [up.summary.acknowledged for up in ups]),
        of("acknowledged writes a second", "", [up.summary.rate_per_second for up in ups]),
        of("failed writes", "", [up.summary.failed for up in ups]),
        of("lost acknowledged writes", "", [up.report.missing for up in ups], "0"),
    ]


def scale_figures(what: str, alone: list[float], runs: list[Scaled], goal: str) -> list[Figure]:
    """One direction of scaling, by `pulumi up`: with nothing beside it, and under the writer."""
    return [
        Figure(f"{what}, `pulumi up`", "s", tuple(alone), goal),
        Figure("the same under the writer", "s", tuple(run.seconds for run in runs)),
        Figure("of it the sequence", "s", tuple(run.sequence_seconds for run in runs)),
        Figure("longest gap in it", "s", tuple(run.gap_seconds for run in runs), "<= 0.5"),
        Figure("lost acknowledged writes", "", tuple(run.report.missing for run in runs), "0"),
    ]


def ratio(ones: list[float], others: list[float]) -> float:
    return median(ones) / median(others)


def judge(summary: Summary, report: Report) -> None:
    """Raise BenchError where a run broke a promise, which voids it."""
    problems = [*report.problems, *summary.stale_reads]
    # A client must never be led to a member that does not vote.
    problems += [error for error in summary.errors if "learner" in error]
    say(f"failed writes: {summary.errors or 'none'}")
    if problems:
        raise BenchError("\n".join([*problems[:10], "Next: make test"]))


def lab_start() -> float:
    """Seconds that the embedded Kubernetes takes with its programs built."""
    timed_lab("down", "--name", LAB)
    say("embedded Kubernetes")
    return timed_lab("up", "--name", LAB)


def destroy(product: Stack) -> None:
    say("destroy")
    product.destroy()
    cluster.require_nothing(product.shell)


def machine(repeat: int, stolen: float) -> str:
    """What the figures were measured on; `stolen`: see `stolen_share`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}; {repeat} run{'s' * (repeat != 1)} of each, "
        "images on the node. A gap is the longest time without an acknowledged write; "
        "clients time out after 0.2 s. Of the processor time that was wanted in this run, the "
        f"host of this machine gave {stolen:.0%} to others."
    )


def say(line: str) -> None:
    print(f"bench: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
