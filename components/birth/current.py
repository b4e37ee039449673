"""Whether a birth is the current one still: another run of Pulumi may have overtaken it.

One that slept with its laptop, for example, or whose Pulumi was given up, which does not kill its
plugins. Each run has a token of its own, and the Secret of the bootstrap holds that of the current
one. None is held once its handover has ended.
"""

from __future__ import annotations

from components.kube.client import Kube
from components.progress import SequenceError


def require(kube: Kube, token: str) -> None:
    """Raise SequenceError where the Secret does not hold this token: what is in the namespace is
    another run's by now."""
    if kube.read_secret(kube.site.discovery).get("token", "") != token:
        raise SequenceError(
            "another pulumi up has begun a birth of its own, beside this one",
            "pulumi up, once no other one runs",
        )
