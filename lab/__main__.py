"""`python -m lab up|down|status|build|env|own`: the embedded Kubernetes of this checkout."""

import argparse
import sys

from lab import lifecycle, own
from lab.errors import LabError
from lab.state import CHECKOUT, DEFAULT_NAME, Lab


def main() -> int:
    """Run one command; return its exit code, 1 where something is wrong."""
    arguments = _parser().parse_args()
    try:
        commands = {
            "up": _up,
            "down": _down,
            "status": _status,
            "build": _build,
            "env": _env,
            "own": _own,
        }
        return commands[arguments.command](arguments.name)
    except LabError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        next_step = f"python -m lab down{Lab(arguments.name).next_command_name}"
        print(f"Interrupted.\nNext: {next_step}", file=sys.stderr)
    return 1


def _up(name: str) -> int:
    lifecycle.up(name)
    return 0


def _down(name: str) -> int:
    lifecycle.down(name)
    return 0


def _status(name: str) -> int:
    checks = lifecycle.status(name)
    width = max(len(check.part) for check in checks)
    for check in checks:
        print(f"{check.part:<{width}}  {check.problem or 'ok'}")
    if all(not check.problem for check in checks):
        return 0
    print(f"Next: python -m lab up{Lab(name).next_command_name}")
    return 1


def _build(_name: str) -> int:
    lifecycle.build()
    return 0


def _env(name: str) -> int:
    print(Lab(name).files / "env")
    return 0


def _own(_name: str) -> int:
    own.prepare(CHECKOUT)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in (
        ("up", "bring the lab up; leaves one that is well as it is"),
        ("down", "remove the lab and every trace of it"),
        ("status", "show every part; exit code 1 where one is not well"),
        ("build", "build or fetch what labs and tests need, into the cache; starts nothing"),
        ("own", "no lab: only Pulumi, for a cluster of one's own: writes .lab/own/env"),
        ("env", "print the path of the shell file to source: . $(python -m lab env)"),
    ):
        command = commands.add_parser(name, help=purpose, description=purpose)
        command.add_argument(
            "--name", default=DEFAULT_NAME, help="which lab (default: %(default)s)"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
