"""Entry point: `python3 -m supervisor run` in the pod; `... status` prints its state as JSON.

`... check`, while the image is built: whether its etcd is of version $ETCD_VERSION.
Exit codes of `run`: 0 after SIGTERM or SIGINT, 2 when the pod template lacks a setting.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from .config import Config, from_environment
from .discovery import Discovery
from .health import Health, serve
from .http_get import http_get
from .log import log
from .seed import Seed
from .stop_signal import told_to_stop
from .unit import Unit


def main() -> int:
    """Run the command named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="supervisor", description=__doc__)
    parser.add_argument("command", choices=["run", "status", "check"])
    command = parser.parse_args().command
    if command == "check":
        return _check(os.environ["ETCD_VERSION"])
    try:
        config = from_environment()
    except (KeyError, OSError, ValueError) as error:
        print(f"supervisor: setting missing or wrong: {error}", file=sys.stderr)
        return 2
    return _status(config) if command == "status" else _run(config)


def _take_proxies_away() -> None:
    """From this process, so that neither it nor etcd and etcdctl, which it starts, obey them.

    A member speaks to other members, their discovery service and its API server only, and some
    clusters put proxies into every pod. Python knows no ranges of addresses in NO_PROXY, so that
    Kubernetes was asked through one; etcd takes HTTP_PROXY for its peers, etcdctl HTTPS_PROXY.
    A v2 discovery service outside is asked without any in all cases (etcd: newProxyFunc).
    """
    for name in list(os.environ):
        if name.upper() in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            del os.environ[name]


def _check(wanted: str) -> int:
    said = subprocess.run(["etcd", "--version"], capture_output=True, text=True, check=True).stdout
    # "etcd Version: 3.6.14", then more lines.
    found = said.split()[2]
    if found == wanted:
        return 0
    print(
        f"supervisor: image.etcdBase holds etcd {found}, and etcd.version is {wanted}; "
        "set one to the other",
        file=sys.stderr,
    )
    return 1


def _run(config: Config) -> int:
    _take_proxies_away()
    stop = told_to_stop()
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
