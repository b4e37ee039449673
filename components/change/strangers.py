"""Members that are neither seeds nor units: somebody has added them by hand, or another tool has.

They are never removed by a sequence, since nothing tells what they are there for. But beside them
no count is what it says: a healthy one votes, and a dead one keeps every unit from joining.
"""

from __future__ import annotations

from components.change.plan import Goal
from components.progress import SequenceError
from components.site import Site
from containers.etcd.supervisor.membership import Member, View


class StrangerError(SequenceError):
    """A member is listed that no sequence knows."""


def of(goal: Goal, view: View) -> list[Member]:
    """The members that are neither seeds nor units, wanted or not.

    By their peer URL, which is there from the add on: before its first start a member has no name.
    """
    return [m for m in view.members if not goal.is_seed(m) and m.ordinal_in(goal.units) is None]


def require_none(goal: Goal, view: View, site: Site) -> None:
    """Raise StrangerError if there is one."""
    found = of(goal, view)
    if found:
        named = ", ".join(_named(member) for member in found)
        raise StrangerError(
            f"neither a seed nor a unit of this stack: {named}. Somebody has added it to the "
            "cluster; no member is added, removed or restarted beside it "
            "(docs/runbook.md: a member that nobody knows)",
            f"{site.etcdctl_in(_asked(view, found, site))} member remove {found[0].hex_id}, "
            "if nobody needs it; then pulumi up",
        )


def _named(member: Member) -> str:
    more = [("a learner", member.learner), ("never started", not member.started)]
    told = [
        f"ID {member.hex_id}",
        f"peer URL {member.peer_url}",
        *(w for w, holds in more if holds),
    ]
    return f"{member.name or 'without a name'} ({', '.join(told)})"


def _asked(view: View, found: list[Member], site: Site) -> str:
    """The pod of a member of ours that answers, units before seeds."""
    pods = view.answering - {member.pod for member in found}
    first = min(pods, key=lambda pod: (pod.startswith(f"{site.seeds}-"), pod), default=None)
    return first or f"{site.units}-0"
