"""A bad line: holds every packet that the packet filter hands to it, and loses some.

    python -m tests.faults.injection.packet_delay --queue 7 --seconds 0.1 --loss 0.5

Kernels often come without `tc`'s netem, but with the NFQUEUE target, which asks a program what
becomes of a packet. This is that program; it must run in the network namespace of the filter.
Protocol: linux/netfilter/nfnetlink_queue.h. It prints one line when it is ready.
"""

from __future__ import annotations

import argparse
import random
import select
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass, field

_NETLINK_NETFILTER = 12
_PACKET, _VERDICT, _CONFIG = (3 << 8 | message for message in (0, 1, 2))
_REQUEST = 1
_DROP, _ACCEPT = 0, 1
_HEADER = 20
"""Bytes of nlmsghdr and nfgenmsg together."""


def message(kind: int, queue: int, attribute: int, value: bytes) -> bytes:
    """A netlink message with one attribute."""
    padded = value + b"\0" * (-len(value) % 4)
    body = struct.pack(">BBH", 0, 0, queue) + struct.pack("=HH", 4 + len(value), attribute) + padded
    return struct.pack("=IHHII", 16 + len(body), kind, _REQUEST, 0, 0) + body


def packet_ids(data: bytes) -> list[int]:
    """The numbers of the packets in what the kernel has sent."""
    found: list[int] = []
    at = 0
    while at + _HEADER <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind == _PACKET:
            # The packet's header is the first attribute: length, type 1, number.
            found.append(struct.unpack_from(">I", data, at + _HEADER + 4)[0])
        at += -(-length // 4) * 4
    return found


@dataclass
class Line:
    """What a packet's fate is. Pure: the clock is an argument."""

    seconds: float
    loss: float
    chance: random.Random
    _held: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])

    def take(self, packets: list[int], now: float) -> list[tuple[int, int]]:
        """Hold new packets; return (number, verdict) of those that are lost at once."""
        lost = [packet for packet in packets if self.chance.random() < self.loss]
        self._held.extend((now + self.seconds, p) for p in packets if p not in lost)
        return [(packet, _DROP) for packet in lost]

    def due(self, now: float) -> list[tuple[int, int]]:
        """(number, verdict) of all packets that have been held long enough."""
        gone: list[tuple[int, int]] = []
        while self._held and self._held[0][0] <= now:
            gone.append((self._held.popleft()[1], _ACCEPT))
        return gone

    def pause(self, now: float) -> float | None:
        """Seconds until the next packet is due; None if none is held."""
        return max(0.0, self._held[0][0] - now) if self._held else None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--queue", type=int, required=True, help="NFQUEUE's number")
    parser.add_argument("--seconds", type=float, required=True, help="delay of each packet")
    parser.add_argument("--loss", type=float, required=True, help="share that is lost, 0 to 1")
    options = parser.parse_args()
    line = Line(options.seconds, options.loss, random.Random(1))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as kernel:
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        kernel.bind((0, 0))
        bind = struct.pack(">BxH", 1, socket.AF_INET)
        numbers_only = struct.pack(">IB", 0, 1)
        for attribute, value in ((1, bind), (2, numbers_only), (3, struct.pack(">I", 20000))):
            kernel.send(message(_CONFIG, options.queue, attribute, value))
        print("ready", flush=True)
        _serve(kernel, options.queue, line)


def _serve(kernel: socket.socket, queue: int, line: Line) -> None:
    while True:
        readable, _, _ = select.select([kernel], [], [], line.pause(time.monotonic()))
        verdicts = line.due(time.monotonic())
        if readable:
            verdicts += line.take(packet_ids(kernel.recv(1 << 16)), time.monotonic())
        for packet, verdict in verdicts:
            kernel.send(message(_VERDICT, queue, 2, struct.pack(">II", verdict, packet)))


if __name__ == "__main__":
    sys.exit(main())
