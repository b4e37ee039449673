"""For how long the machine's disk kept everybody waiting: told of a gap that is too long.

All members of a lab write to one disk. Where that stands still, etcd can acknowledge nothing,
whatever the program does; the verdict stays what it is.
"""

from __future__ import annotations

import time
from pathlib import Path

_PRESSURE = Path("/proc/pressure/io")


class DiskWatch:
    """What the kernel counts of it, look by look (Documentation/accounting/psi.rst: "full" is the
    time in which nobody ran, since somebody waited for a disk)."""

    def __init__(self, pressure: Path = _PRESSURE) -> None:
        self._pressure = pressure
        self._looks: list[tuple[int, int]] = []
        """When, in ns, and the microseconds until then."""

    def look(self) -> None:
        """Nothing, where the kernel does not count it."""
        if self._pressure.is_file():
            total = self._pressure.read_text().split("total=")[-1]
            self._looks.append((time.time_ns(), int(total)))

    def seconds(self, since_ns: int, until_ns: int) -> float | None:
        """Within this span, to the two looks that enclose it; None without such."""
        before = [total for at, total in self._looks if at <= since_ns]
        after = [total for at, total in self._looks if at >= until_ns]
        return (after[0] - before[-1]) / 1e6 if before and after else None
