"""The code that the kernel maps into every process, the vDSO: where it is and where its functions
begin (vdso(7)). x86_64 only."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_DYNSYM = 11
"""Section type of the table of exported symbols (elf(5), SHT_DYNSYM)."""


@dataclass(frozen=True)
class Mapping:
    """A range of addresses, end excluded."""

    start: int
    end: int

    def __contains__(self, address: object) -> bool:
        return isinstance(address, int) and self.start <= address < self.end


def mapping(pid: int | str) -> Mapping:
    """Where the vDSO is in a process. Raises LookupError if the process has none."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("[vdso]"):
            start, _, end = line.split()[0].partition("-")
            return Mapping(int(start, 16), int(end, 16))
    raise LookupError(f"process {pid} has no vDSO")


def image() -> bytes:
    """The vDSO as it is mapped here; every process of this machine has the same."""
    here = mapping("self")
    with Path("/proc/self/mem").open("rb", buffering=0) as memory:
        memory.seek(here.start)
        return memory.read(here.end - here.start)


def symbol_offset(elf: bytes, name: str) -> int:
    """Where a function begins in the image. Raises LookupError if it is not exported."""
    (table,) = struct.unpack_from("<Q", elf, 0x28)  # e_shoff
    entry_size, count = struct.unpack_from("<HH", elf, 0x3A)  # e_shentsize, e_shnum
    sections = [
        struct.unpack_from("<IIQQQQIIQQ", elf, table + index * entry_size) for index in range(count)
    ]
    for section in (s for s in sections if s[1] == _DYNSYM):
        names = sections[section[6]]
        for position in range(section[4], section[4] + section[5], 24):
            name_at, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", elf, position)
            start = names[4] + name_at
            if elf[start : elf.index(b"\0", start)].decode() == name:
                return value
    raise LookupError(f"the vDSO has no {name}")
