"""Ports of 127.0.0.1 that a test binds later, or that nobody is to listen on.

A port that the kernel has chosen, and that was let go, is given to the next socket that asks: to a
connection of another test, or of this one. So these are below the kernel's range, ip(7)
`ip_local_port_range`, and each worker has its own part.
"""

from __future__ import annotations

import itertools
import os
import random
import socket

FIRST, EACH = 11_000, 3_000
"""Up to 28,999 for six workers: above a kubelet's ports, and below Kubernetes' for Services."""


def _part() -> int:
    """Of a run without workers the last one."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw5")
    return int(worker.removeprefix("gw")) % 6


# From anywhere: another run on this machine has the same parts.
_start = random.randrange(EACH)
_offsets = itertools.cycle([*range(_start, EACH), *range(_start)])


def free_port() -> int:
    """A port that nothing listens on, and that is not given again for a long time."""
    while True:
        port = FIRST + _part() * EACH + next(_offsets)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
