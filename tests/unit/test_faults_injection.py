"""The parts of the fault suite that make faults and are pure."""

from __future__ import annotations

import random
import struct

import pytest

from tests.faults.injection import clock, vdso
from tests.faults.injection.packet_delay import Line, message, packet_ids

ACCEPT, DROP = 1, 0


def test_a_line_delays_every_packet_and_keeps_their_order() -> None:
    line = Line(0.1, 0.0, random.Random(1))
    assert line.pause(0.0) is None
    assert line.take([1, 2], now=0.0) == []
    assert line.take([3], now=0.05) == []
    assert line.pause(0.05) == pytest.approx(0.05)
    assert line.due(0.09) == []
    assert line.due(0.1) == [(1, ACCEPT), (2, ACCEPT)]
    assert line.due(1.0) == [(3, ACCEPT)]


def test_a_line_loses_its_share_and_says_so_at_once() -> None:
    line = Line(0.1, 0.5, random.Random(1))
    lost = line.take(list(range(1000)), now=0.0)
    kept = line.due(1.0)
    assert {verdict for _, verdict in lost} == {DROP}
    assert 400 < len(lost) < 600
    assert sorted(p for p, _ in [*lost, *kept]) == list(range(1000)), "each has one verdict"


def test_the_kernels_messages_are_read_one_after_the_other() -> None:
    packets = [message(3 << 8, 7, 1, struct.pack(">IHB", n, 0x800, 2)) for n in (5, 70000)]
    assert packet_ids(b"".join(packets)) == [5, 70000]
    assert packet_ids(b"") == []


def test_the_code_of_a_wrong_clock_jumps_where_it_means_to() -> None:
    text = clock.code(-3600)
    add, end = text.index(b"\x48\x81\x06"), len(text) - 1
    assert text[add + 3 : end] == struct.pack("<i", -3600)
    assert text[end:] == b"\xc3"
    # A short jump counts from the instruction after it.
    first, second = text.index(b"\x74"), text.index(b"\x75")
    assert first + 2 + text[first + 1] == add
    assert second + 2 + text[second + 1] == end


def test_the_kernels_clock_is_found_and_is_longer_than_what_replaces_it() -> None:
    image = vdso.image()
    begin = vdso.symbol_offset(image, "__vdso_clock_gettime")
    assert 0 < begin < len(image) - len(clock.code(1))
    with pytest.raises(LookupError):
        vdso.symbol_offset(image, "no_such_function")
