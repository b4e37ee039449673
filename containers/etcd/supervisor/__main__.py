"""Entry point: `python3 -m supervisor run` in the pod; `... status` prints its state as JSON.

Exit codes of `run`: 0 after SIGTERM or SIGINT, 2 when the pod template lacks a setting.
"""

from __future__ import annotations

import argparse
import signal
import sys
from threading import Event, Thread
from types import FrameType

from .config import Config, from_environment
from .health import Health, log, serve
from .http_get import http_get
from .seed import Discovery, Seed
from .unit import Unit


def main() -> int:
    """Run the command named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="supervisor", description=__doc__)
    parser.add_argument("command", choices=["run", "status"])
    command = parser.parse_args().command
    try:
        config = from_environment()
    except (KeyError, OSError, ValueError) as error:
        print(f"supervisor: setting missing or wrong: {error}", file=sys.stderr)
        return 2
    return _status(config) if command == "status" else _run(config)


def _run(config: Config) -> int:
    stop = Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        # Not from here: the loop that was interrupted may hold the event's lock, for ever then.
        Thread(target=stop.set).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    health = Health(config.metrics_port)
    serve(health, config.health_port)
    log(f"{config.role} {config.name}, etcd {config.etcd_version}")
    roles = {"unit": Unit, "seed": Seed, "discovery": Discovery}
    roles[config.role](config, health, stop).run()
    return 0


def _status(config: Config) -> int:
    try:
        print(http_get("127.0.0.1", config.health_port, "/status", 5)[1].decode(), end="")
    except OSError as error:
        print(f"supervisor: no answer: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
