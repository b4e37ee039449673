"""`python -m tests.faults`: what the cluster does when things break.

Each scenario breaks something for real, on an embedded Kubernetes of its own, while clients write
and read; afterwards every member's own copy is compared with what was acknowledged. The exit code
is 0 only if every run was green.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.faults import broken, report, suite
from tests.faults.catalogue import SCENARIOS, UnknownScenarioError, chosen


def main() -> int:
    options = _parser().parse_args()
    if options.list:
        print(_listed())
        return 0
    try:
        build = broken.named(options.broken) if options.broken else None
        scenarios = chosen(options.scenario or (build.red if build else ()))
    except (UnknownScenarioError, broken.UnknownBuildError) as error:
        print(error, file=sys.stderr)
        return 2
    with suite.own_lab(keep=options.keep) as (lab, folder):
        if build:
            suite.say(f"broken build {build.name}: {build.why}")
            outcomes = suite.run_broken(lab, folder, build, scenarios)
            good = suite.all_found_out(outcomes)
        else:
            cluster = suite.cluster_on(lab, folder)
            rounds: int | None = options.rounds
            outcomes = suite.run_all(
                cluster, scenarios, folder, repeat=options.repeat, rounds=rounds
            )
            good = suite.all_green(outcomes)
    text = report.table(outcomes)
    print(text)
    if options.report:
        Path(options.report).write_text(f"{text}\n")
    if build:
        verdict = "found out" if good else "NOT found out by every scenario that must"
        print(f"\nbroken build {build.name}: {verdict}")
    return 0 if good else 1


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
        "--broken", metavar="NAME", help="run what must be red with this broken build"
    )
    parser.add_argument("--report", metavar="FILE", help="write the table there too")
    parser.add_argument("--keep", action="store_true", help="leave lab and cluster for a look")
    return parser


def _listed() -> str:
    lines = ["Scenarios:"]
    lines += [f"  {scenario.key:<5}{scenario.title}" for scenario in SCENARIOS]
    lines += ["", "Broken builds, and the scenarios that must be red with them:"]
    lines += [f"  {b.name:<34}{', '.join(b.red):<12}{b.why}" for b in broken.BROKEN]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
