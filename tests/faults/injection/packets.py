"""Lines between pods that are cut or bad, by the packet filter of the lab's network namespace.

Packets from pod to pod and from this machine to a pod are forwarded there. The kubelet's own, to
its probes, are not: whoever is cut off is still looked after by its node, as on a real one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path

from lab import processes
from lab.state import Lab, read_addresses
from tests.faults.scenario import SuiteError

_CHAIN = "FAULTS"
_QUEUE = 7

# Before the filter table, whose first rules are kube-proxy's and accept what is established.
_TABLE = ("iptables", "--wait", "--table", "mangle")

Rule = Sequence[str]


@contextmanager
def cut_off(lab: Lab, address: str) -> Generator[None]:
    """A pod to which, and from which, no packet comes through."""
    with _rules(lab, [_drop("--source", address), _drop("--destination", address)]):
        yield


@contextmanager
def cut_between(lab: Lab, *addresses: str) -> Generator[None]:
    """Pods that do not reach each other; everybody else reaches them all."""
    pairs = permutations(addresses, 2)
    with _rules(lab, [("--source", a, *_drop("--destination", b)) for a, b in pairs]):
        yield


@contextmanager
def bad_line(lab: Lab, port: int, seconds: float, loss: float) -> Generator[None]:
    """Every packet of one port, both ways, comes late or never. Raises SuiteError at the end if
    the line was good from some moment on."""
    queue = ("--jump", "NFQUEUE", "--queue-num", str(_QUEUE), "--queue-bypass")
    sides = ("--destination-port", "--source-port")
    rules = [("--protocol", "tcp", side, str(port), *queue) for side in sides]
    with _queue(lab, seconds, loss), _rules(lab, rules):
        yield


def _drop(side: str, address: str) -> Rule:
    return (side, address, "--jump", "DROP")


@contextmanager
def _rules(lab: Lab, rules: Iterable[Rule]) -> Generator[None]:
    _iptables(lab, "--new-chain", _CHAIN)
    try:
        for rule in rules:
            _iptables(lab, "--append", _CHAIN, *rule)
        _iptables(lab, "--insert", "FORWARD", "--jump", _CHAIN)
        try:
            yield
        finally:
            _iptables(lab, "--delete", "FORWARD", "--jump", _CHAIN)
    finally:
        _iptables(lab, "--flush", _CHAIN)
        _iptables(lab, "--delete-chain", _CHAIN)


@contextmanager
def _queue(lab: Lab, seconds: float, loss: float) -> Generator[None]:
    options = ("--queue", str(_QUEUE), "--seconds", str(seconds), "--loss", str(loss))
    command = (sys.executable, "-m", "tests.faults.injection.packet_delay", *options)
    with subprocess.Popen(
        _inside(lab, ("env", f"PYTHONPATH={_CHECKOUT}", *command)),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise SuiteError("the delaying program did not begin")
            yield
            # Without it the packet filter lets every packet through (--queue-bypass).
            if process.poll() is not None:
                raise SuiteError(f"the delaying program ended by itself, code {process.returncode}")
        finally:
            process.kill()


_CHECKOUT = Path(__file__).resolve().parents[3]


def _iptables(lab: Lab, *arguments: str) -> None:
    subprocess.run(_inside(lab, (*_TABLE, *arguments)), check=True, capture_output=True)


def _inside(lab: Lab, command: Sequence[str]) -> list[str]:
    addresses = read_addresses(lab)
    assert addresses is not None, "the lab is up"
    return processes.inside(lab, addresses, command)
