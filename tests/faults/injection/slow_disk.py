"""A slow disk under one container: so few writes a second that each waits for its turn.

The control group's limit is the way that needs nothing else: device-mapper's delay target is
rarely in a kernel, FUSE would need another kind of volume, and a preloaded library is not read by
a static program. It holds for what a process writes in its own name, and an fdatasync of etcd's
write-ahead log is that.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.injection.pod_processes import Container


@contextmanager
def slow_disk(container: Container, folder: Path, writes_per_second: int) -> Generator[None]:
    """Limit the writes of one container to the disk that a folder is on."""
    limit, unlimited = _file(container, _disk(folder), writes_per_second)
    file, value = limit
    file.write_text(value)
    try:
        yield
    finally:
        if file.exists():  # else its container has ended
            file.write_text(unlimited)


def _file(container: Container, disk: str, rate: int) -> tuple[tuple[Path, str], str]:
    """Where the limit is written, and what; and what ends it."""
    try:
        old = container.group_in("blkio") / "blkio.throttle.write_iops_device"
        return (old, f"{disk} {rate}"), f"{disk} 0"
    except LookupError:
        new = next((g / "io.max" for g in container.groups if (g / "io.max").exists()), None)
        if new is None:
            raise LookupError("no control group can slow the disk down") from None
        return (new, f"{disk} wiops={rate}"), f"{disk} wiops=max"


def _disk(folder: Path) -> str:
    """Numbers of the whole disk: a partition has no queue, and no limit, of its own."""
    device = folder.stat().st_dev
    own = f"{os.major(device)}:{os.minor(device)}"
    place = Path("/sys/dev/block", own).resolve()
    whole = place.parent if (place / "partition").exists() else place
    return (whole / "dev").read_text().strip()
