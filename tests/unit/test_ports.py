"""Ports for what a test starts itself: nobody else gets them meanwhile."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.ports import EACH, free_port


def test_the_kernel_gives_none_of_them_to_a_connection() -> None:
    least = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(free_port() for _ in range(EACH)) < least


def test_no_port_is_given_twice_or_while_somebody_has_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        given = [free_port() for _ in range(EACH // 2)]
        assert len(set(given)) == len(given)
        taken = other.getsockname()[1]
        assert taken not in [free_port() for _ in range(EACH)]


def test_two_workers_get_none_of_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[set[int]] = []
    for worker in ("gw0", "gw1", "gw2"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        parts.append({free_port() for _ in range(EACH)})
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
