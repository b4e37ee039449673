"""Remove the mounts that the kubelet, containerd and dockerd leave when they are killed."""

import ctypes
import os
import re
from pathlib import Path

from lab.errors import LabError

_DETACH = 2
"""MNT_DETACH of umount(2): take the mount out of sight now, whoever may still hold a file in it."""


def unmount_below(path: Path) -> None:
    """Unmount everything at and below `path`, in the reverse order of mounting.

    Raises LabError where a mount stays, so that no caller deletes files through it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for mount in reversed(mounts_below(path)):
        if libc.umount2(os.fsencode(mount), _DETACH) != 0:
            reason = os.strerror(ctypes.get_errno())
            # A mount may have gone together with the one before it.
            if mount in mounts_below(path):
                raise LabError(f"{mount} cannot be unmounted: {reason}.", f"umount -l {mount}")


def mounts_below(path: Path) -> list[Path]:
    """Return the mount points at and below `path`, in order of mounting."""
    points: list[Path] = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # Blanks and the like are written as octal codes.
        point = re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), line.split()[4])
        if Path(point).is_relative_to(path):
            points.append(Path(point))
    return points
