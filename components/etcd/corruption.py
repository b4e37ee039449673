"""The alarm CORRUPT: etcd has found that members hold different data, or was told so.

No member is ready from then on and none takes a write, until a person has ended it: the Service
leads to nobody, while every member answers in its own pod (etcd:
server/etcdserver/api/etcdhttp/health.go, server/etcdserver/apply/corrupt.go).
"""

from __future__ import annotations

from components.progress import SequenceError
from containers.etcd.supervisor.membership import View, describe

ALARM = "alarm:CORRUPT"


class CorruptError(SequenceError):
    """The alarm stands. Nothing is changed under it, and it does not go by itself."""


def require_none(view: View) -> None:
    """Raise CorruptError if the alarm stands."""
    told = {e for s in view.statuses.values() for e in s.errors if ALARM in e}
    if not told:
        return
    # `memberID:` and the ID, in decimal; left out where etcd does not know whose data it is.
    accused = [m for m in view.members if any(f"memberID:{m.id} " in e for e in told)]
    whose = f" for {describe(accused)}" if accused else ""
    raise CorruptError(
        f"etcd's alarm CORRUPT stands{whose}: members hold different data, and none serves",
        "docs/runbook.md, alarm CORRUPT, then pulumi up",
    )
