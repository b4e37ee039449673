"""What a good run of Pulumi may say although nobody asked for it."""

from __future__ import annotations

import re

_WITH_ITSELF = re.compile(
    r"warning: (\w+: [^\n]*"
    r"Operation cannot be fulfilled [^\n]* the object has been modified; please apply your changes"
    r"|ClusterIPNotAllocated: [^\n]* is not allocated; repairing)"
)


def of_the_program(output: str) -> str:
    """The output without what Kubernetes says of itself: two of its own controllers met at an
    object that has just been made, and one of them puts it right. Pulumi's plugin shows what is
    said of an object while it is made."""
    return _WITH_ITSELF.sub("", output)
