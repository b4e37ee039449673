"""Cores and bytes as Kubernetes writes them: `500m`, `20Gi`. Pure."""

from __future__ import annotations

import math
import re
from fractions import Fraction

_CORES = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(m?)")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([A-Za-z]*)")
_SUFFIXES = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", start=1)},
}


def milli_cores(quantity: str) -> int:
    """Return `500m`, `2` or `0.5` as thousandths of a core. Raises ValueError for what is none."""
    match = _CORES.fullmatch(quantity)
    thousandths = Fraction(match[1]) * (1 if match[2] else 1000) if match else Fraction(0)
    if thousandths < 1 or thousandths.denominator != 1:
        raise ValueError(f"{quantity!r} is no number of cores; write it as 500m or 2")
    return int(thousandths)


def cpu_cores(quantity: str) -> float:
    """Return `500m` or `2` as cores. Raises ValueError for anything that is no such number."""
    return milli_cores(quantity) / 1000


def size_bytes(quantity: str) -> int:
    """Return `20Gi` as bytes. Raises ValueError for anything that is no size."""
    match = _SIZE.fullmatch(quantity)
    if match is None or match[2] not in _SUFFIXES:
        raise ValueError(f"{quantity!r} is no size; write it as 512Mi or 20Gi")
    return int(Fraction(match[1]) * _SUFFIXES[match[2]])


def canonical(quantity: str) -> str:
    """A number of bytes as the API server writes it: 1024Mi as 1Gi.

    Otherwise a preview with values that are not known yet would see a change of what may not be
    changed (apimachinery: pkg/api/resource/quantity.go, CanonicalizeBytes).
    """
    size = size_bytes(quantity)
    base, units = (1024, "KMGTPE") if quantity.endswith("i") else (1000, "kMGTPE")
    suffix = ""
    for unit in units:
        if size % base:
            break
        size //= base
        suffix = f"{unit}i" if base == 1024 else unit
    return f"{size}{suffix}"


def doubled(quantity: str) -> str:
    """Twice as many bytes, in whole MiB."""
    return canonical(f"{math.ceil(2 * size_bytes(quantity) / 1024**2)}Mi")
