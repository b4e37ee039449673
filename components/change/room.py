"""Whether the database fits into the quota that etcd is to have in the units. Pure.

With `storage.kind` memory the quota follows `units.memory`, which may be lowered. The first write
that a quota is too small for is an alarm of the whole cluster, and while it stands no member counts
as healthy: no sequence would go on, not even back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from components.kube.pods import quota_of
from components.progress import SequenceError
from components.sizing import memory_for
from containers.etcd.supervisor.membership import View

FULL = 0.9
"""Of a quota: clients go on writing while units restart."""

MEBIBYTE = 1024**2


class TooSmallError(SequenceError):
    """The database does not fit."""


def lowered(quota: Mapping[str, Any], pods: Iterable[Any]) -> bool:
    """Whether one of these units has a larger quota than it is to have.

    `quota`: see `require`.
    """
    return bool(quota) and any(quota_of(pod) > quota["bytes"] for pod in pods)


def require(quota: Mapping[str, Any], pods: Iterable[Any], view: View) -> None:
    """Raise TooSmallError for a quota that is lowered to less than what is there.

    `quota`: its `bytes`, and the `memory` from which they come; empty where it follows no setting
    that may change. `pods`: the units'.
    """
    sizes = {m.pod: view.statuses[m.id].file_bytes for m in view.members if m.id in view.statuses}
    if not sizes or not lowered(quota, pods):
        return
    pod, size = max(sizes.items(), key=lambda found: found[1])
    if size <= FULL * quota["bytes"]:
        return
    least = math.ceil(memory_for(size / FULL) / MEBIBYTE)
    raise TooSmallError(
        f"refused: etcd:units.memory {quota['memory']} gives etcd a quota of "
        f"{int(quota['bytes'] / MEBIBYTE)}Mi, and the database of {pod} has "
        f"{math.ceil(size / MEBIBYTE)}Mi: etcd would take no more writes",
        f"pulumi config set --path etcd:units.memory {least}Mi, or more "
        "(or make room first: docs/runbook.md: the database is full)",
    )
