"""The wall clock of single processes, set off by so many seconds.

The usual ways do not reach an etcd: a time namespace has no wall clock (time_namespaces(7)), and
a preloaded library (libfaketime) is not read by a static Go program. Go and Python ask the code
that the kernel maps into every process, the vDSO. So that code is replaced in the process's own
memory, as Chaos Mesh does (github.com/chaos-mesh/chaos-mesh, pkg/time), by a system call whose
answer is moved. Monotonic clocks stay right, as on a machine whose wall clock is set wrongly.

x86_64 only, as the lab is. A program that is started later has the right time.
"""

from __future__ import annotations

import os
import signal
import struct
import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.faults.injection import vdso

_STOP_SECONDS = 5.0


def code(offset_seconds: int) -> bytes:
    """Machine code of a `clock_gettime(edi, rsi)` whose wall clocks (0 and 5, the coarse one) are
    off; all other clocks are right."""
    return (
        bytes.fromhex("b8e40000000f05")  # mov eax, 228; syscall
        + bytes.fromhex("85ff7405")  # test edi, edi; je to the add
        + bytes.fromhex("83ff057507")  # cmp edi, 5; jne to the ret
        + bytes.fromhex("488106")  # add qword [rsi], offset
        + struct.pack("<i", offset_seconds)
        + bytes.fromhex("c3")  # ret
    )


@contextmanager
def off_by(seconds: int, pids: Iterable[int]) -> Generator[None]:
    """Run these processes with a wall clock that is off; theirs is right again at the end."""
    begins = vdso.symbol_offset(vdso.image(), "__vdso_clock_gettime")
    with ExitStack() as stack:
        for pid in pids:
            address = vdso.mapping(pid).start + begins
            before = _exchange(pid, address, code(seconds))
            stack.callback(_put_back, pid, address, before)
        yield


def _put_back(pid: int, address: int, before: bytes) -> None:
    # A process that has ended took its clock along.
    if Path(f"/proc/{pid}").exists():
        _exchange(pid, address, before)


def _exchange(pid: int, address: int, new: bytes) -> bytes:
    """Write code into a process that stands still and is not within that code; return the old."""
    place = vdso.Mapping(address, address + len(new))
    deadline = time.monotonic() + _STOP_SECONDS
    while True:
        os.kill(pid, signal.SIGSTOP)
        try:
            if _stopped_outside(pid, place):
                with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
                    memory.seek(address)
                    old = memory.read(len(new))
                    memory.seek(address)
                    memory.write(new)
                return old
        finally:
            os.kill(pid, signal.SIGCONT)
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} could not be stopped outside of its vDSO")


def _stopped_outside(pid: int, place: vdso.Mapping) -> bool:
    """Whether every thread comes to a stop, none of them in `place`."""
    deadline = time.monotonic() + _STOP_SECONDS
    for thread in Path(f"/proc/{pid}/task").iterdir():
        while (thread / "stat").read_text().rpartition(")")[2].split()[0] != "T":
            if time.monotonic() > deadline:
                return False
        # Ends with the program counter, or says `running` (proc_pid_syscall(5)).
        where = (thread / "syscall").read_text().split()[-1]
        if not where.startswith("0x") or int(where, 16) in place:
            return False
    return True
