"""`python -m tests.faults`: what the cluster does when things break.

Each scenario breaks something for real, on an embedded Kubernetes of its own, while clients write
and read; afterwards every member's own copy is compared with what was acknowledged. The exit code
is 0 only if every run was green.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lab.state import Lab
from tests.faults import broken, report, suite
from tests.faults.broken import Broken
from tests.faults.catalogue import SCENARIOS, UnknownScenarioError, chosen
from tests.faults.scenario import Outcome


def main() -> int:
    options = _parser().parse_args()
    if options.list:
        print(_listed())
        return 0
    try:
        builds = broken.named(options.broken) if options.broken else ()
        scenarios = chosen(options.scenario)
    except (UnknownScenarioError, broken.UnknownBuildError) as error:
        print(error, file=sys.stderr)
        return 2
    with suite.own_lab(keep=options.keep) as (lab, folder):
        if builds:
            found_out = [_is_found_out(lab, folder, build, options) for build in builds]
            return 0 if all(found_out) else 1
        cluster = suite.cluster_on(lab, folder)
        rounds: int | None = options.rounds
        outcomes = suite.run_all(cluster, scenarios, folder, repeat=options.repeat, rounds=rounds)
    _show(outcomes, options.report)
    return 0 if suite.all_green(outcomes) else 1


def _is_found_out(lab: Lab, folder: Path, build: Broken, options: argparse.Namespace) -> bool:
    """Run what must be red with a broken build, and say whether it was."""
    suite.say(f"broken build {build.name}: {build.why}")
    named = chosen(options.scenario) if options.scenario else ()
    # Not `chosen`, for which 13 means 13b too.
    scenarios = named or [s for s in SCENARIOS if s.key in build.red]
    outcomes = suite.run_broken(lab, folder, build, scenarios)
    good = suite.all_found_out(outcomes)
    verdict = "found out" if good else "NOT found out by every scenario that must"
    _show(outcomes, options.report, f"broken build {build.name}: {verdict}")
    return good


def _show(outcomes: list[Outcome], file: str | None, verdict: str = "") -> None:
    """Print the table, with the verdict on a build below it; the file gets it too, at its end."""
    text = "\n\n".join(filter(None, [report.table(outcomes), verdict]))
    print(text, flush=True)
    if file:
        with Path(file).open("a") as out:
            out.write(f"{text}\n\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", nargs="*", help="numbers, as in --list; all if none is given")
    parser.add_argument("--list", action="store_true", help="scenarios and broken builds")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="runs of each")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="faults in a run, where it has many"
    )
    parser.add_argument(
        "--broken",
        metavar="NAME",
        help="run what must be red with this broken build; `all`: with each, one after the other",
    )
    parser.add_argument("--report", metavar="FILE", help="append the table to this file")
    parser.add_argument("--keep", action="store_true", help="leave lab and cluster for a look")
    return parser


def _listed() -> str:
    lines = ["Scenarios:"]
    lines += [f"  {scenario.key:<5}{scenario.title}" for scenario in SCENARIOS]
    lines += ["", "Broken builds, and the scenarios that must be red with them:"]
    lines += [f"  {b.name:<34}{', '.join(b.red):<16}{b.why}" for b in broken.BROKEN]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
