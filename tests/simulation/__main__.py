"""`python -m tests.simulation`: many lives, and then how soon each broken rule is found.

The exit code is 0 only if every promise was kept, and every broken rule found.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.broken import BROKEN, Broken
from tests.simulation.lives import any_life, found_after, live_through
from tests.simulation.promises import BrokenPromiseError, Promise


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--lives", type=int, default=5000, metavar="N")
    parser.add_argument("--first", type=int, metavar="N", help="a life's number; any, if none")
    parser.add_argument("--only-lives", action="store_true", help="look for no broken rule")
    options = parser.parse_args()
    first = any_life() if options.first is None else options.first
    try:
        _show_lives(first, options.lives)
    except BrokenPromiseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if options.only_lives or _all_found(first) else 1


def _show_lives(first: int, lives: int) -> None:
    print(f"{lives} lives from number {first} on", flush=True)
    began = time.monotonic()
    steps, held = live_through(first, lives)
    print(f"{steps} steps, {time.monotonic() - began:.0f} s: all was kept\n")
    print("| promise | times at stake |\n|---|---|")
    for promise in Promise:
        print(f"| {promise.value} | {held[promise]} |")


def _all_found(first: int) -> bool:
    print("\n| broken rule | promise | found after lives | seconds |\n|---|---|---|---|")
    found = [_is_found(broken, first) for broken in BROKEN]
    return all(found)


def _is_found(broken: Broken, first: int) -> bool:
    began = time.monotonic()
    lives = found_after(broken, first)
    seconds = time.monotonic() - began
    after = "NOT FOUND" if lives is None else lives
    print(f"| {broken.name} | {broken.breaks.value} | {after} | {seconds:.1f} |", flush=True)
    return lives is not None


if __name__ == "__main__":
    sys.exit(main())
