"""Whether what was measured is within what must hold. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.faults.cluster import SEEDS
from tests.faults.membership_watch import Sight
from tests.faults.scenario import Step
from tests.support.writer import Report, Summary, Write, longest_gap


def of_steps(steps: Iterable[Step]) -> list[str]:
    """Figures over their limits."""
    problems: list[str] = []
    for step in steps:
        figures = (
            ("without an acknowledged write", step.gap_seconds, step.limits.gap_seconds),
            ("of failed writes of one client", step.client_seconds, step.limits.client_seconds),
            ("until all was well again", step.heal_seconds, step.limits.heal_seconds),
        )
        problems += [
            f"{step.fault}: {found:.2f} s {what}, allowed are {limit:g} s"
            for what, found, limit in figures
            if found is not None and limit is not None and found > limit
        ]
    return problems


def of_history(summary: Summary, report: Report, wanted: Sequence[str]) -> list[str]:
    """What always must hold of the writes, the reads, the members and their list."""
    problems = [*report.problems, *summary.stale_reads[:10]]
    # A client must never be led to a member that does not vote.
    asked = {**summary.errors, **summary.read_errors}
    problems += [f"a client was told: {error}" for error in asked if "learner" in error]
    names = sorted(member["name"] for member in report.membership)
    if names != sorted(wanted):
        problems.append(f"the list is {names}, wanted are {sorted(wanted)}")
    return problems


BLIND_SECONDS = 0.2
"""Between two looks at the list more than one change may lie if they are further apart."""


def of_membership(sights: Sequence[Sight], units: Collection[str]) -> list[str]:
    """What must hold of the membership at every moment; `sights` as they followed each other.

    A member joins as a learner: one that is there for the first time, has never started and votes
    already was added as a voter. (A short time as a learner may fall between two looks, but then
    the member has started and has its name.) Members go one at a time, and a seed only while all
    `units` vote; nobody goes as a leader (`of_leaders`).
    """
    problems: list[str] = []
    known: set[str] = set()
    for position, sight in enumerate(sights):
        new = [m for m in sight.members if m.id not in known]
        known |= {m.id for m in new}
        if position > 0:
            problems += [
                f"{m.pod} was added as a voter ({m.id})"
                for m in new
                if not m.learner and not m.name
            ]
    for before, after in pairwise(sights):
        problems += _of_removals(before, after, units)
    return problems + of_leaders(sights)


ELECTED_SECONDS = 5.0
"""Whoever has led for less may have been elected between a sequence's last look and its removal,
which is nobody's fault. A look is followed by its step within a second, but where the API hangs."""


def of_leaders(sights: Sequence[Sight]) -> list[str]:
    """Who led for long and was removed without a move of the leadership before it.

    Seen by this: a member whose list has lost the leader still follows it. Where leadership was
    moved before, the removal is an entry of the next leader's term (Raft, section 5.1): whoever has
    applied it has heard of that leader, however late it is, and whatever fell between two looks.
    So the leader must have been asked for after the list. A list that is late may lack the leader
    because it was not added there yet: that one is listed again, and no removed ID ever is.
    """
    pods = {m.id: m.pod for sight in sights for m in sight.members}
    last = {m.id: n for n, sight in enumerate(sights) for m in sight.members}
    gone: dict[str, str] = {}
    leader, since = "", 0.0
    for number, sight in enumerate(sights):
        if sight.leader != leader:
            leader, since = sight.leader, sight.first
        if last.get(leader, number) < number and sight.first - since > ELECTED_SECONDS:
            gone[leader] = f"{pods[leader]} was removed while it led"
    return list(gone.values())


def _of_removals(before: Sight, after: Sight, units: Collection[str]) -> list[str]:
    gone = removed(before, after)
    problems: list[str] = []
    if len(gone) > 1 and after.first - before.last < BLIND_SECONDS:
        problems.append(f"{', '.join(gone)} were removed at once")
    voters = {m.pod for m in after.members if not m.learner}
    missing = [unit for unit in units if unit not in voters]
    seeds = [pod for pod in gone if pod in SEEDS]
    if seeds and missing:
        problems.append(f"{', '.join(seeds)} went before {', '.join(missing)} voted")
    return problems


def removed(before: Sight, after: Sight) -> list[str]:
    """The pods whose members went from one list to the next, if both are of one cluster."""
    left = {m.id for m in after.members}
    gone = [m.pod for m in before.members if m.id not in left]
    return gone if len(gone) < len(before.members) else []


def acknowledged(writes: Iterable[Write], since_ns: int, until_ns: int) -> int:
    """How many writes were, in this span."""
    return sum("error" not in w and since_ns <= w["end_ns"] <= until_ns for w in writes)


def failing(writes: Iterable[Write], since_ns: int, until_ns: int) -> float:
    """The longest time in seconds, of those that overlap this span, in which one client's writes
    failed one after the other; 0 where none failed.

    From the begin of the first that failed to the end of the next that was acknowledged. `writes`:
    all of the log, in the order in which they ended.
    """
    longest = 0
    began: dict[int, int] = {}
    for write in writes:
        client, ended = write["client"], write["end_ns"]
        if "error" in write:
            began.setdefault(client, write["start_ns"])
        if client in began and began[client] <= until_ns and ended >= since_ns:
            longest = max(longest, ended - began[client])
        if "error" not in write:
            began.pop(client, None)
    return longest / 1e9


@dataclass(frozen=True)
class Gap:
    """The longest time without an acknowledged write that overlaps a fault."""

    since_ns: int
    until_ns: int
    story: str
    """When it was, and what became of the writes in it: one that was given up long after the
    client's time-out shows that the client itself stood still."""

    @property
    def seconds(self) -> float:
        return (self.until_ns - self.since_ns) / 1e9


def gap(writes: Sequence[Write], since_ns: int, until_ns: int) -> Gap:
    """`writes`: all of the log, also those that failed, in the order in which they ended."""
    began, ended = longest_gap(writes, since_ns, until_ns)
    failed = [w for w in writes if "error" in w and w["start_ns"] < ended and w["end_ns"] > began]
    slowest = max((w["end_ns"] - w["start_ns"] for w in failed), default=0) / 1e9
    errors = ", ".join(sorted({w.get("error", "") for w in failed}))
    story = (
        f"it began {(began - since_ns) / 1e9:.2f} s after the fault, {len(failed)} writes failed"
    )
    return Gap(
        began,
        ended,
        f"{story}, the slowest after {slowest:.2f} s ({errors})" if failed else story,
    )
