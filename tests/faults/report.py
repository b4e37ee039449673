"""The outcomes as a Markdown table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from tests.faults.scenario import Outcome, Step, Verdict

_FIGURES = ("gap, s", "allowed", "one client, s", "allowed", "heal, s", "allowed")
HEAD = ("#", "scenario", "fault", "runs", *_FIGURES, "verdict")


def table(outcomes: Iterable[Outcome]) -> str:
    """One row for each fault of each scenario, then the reasons of what was not green.

    Figures are median / maximum over all runs and rounds.
    """
    by_key: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_key.setdefault(outcome.scenario.key, []).append(outcome)
    rows = [row for runs in by_key.values() for row in _rows(runs)]
    lines = [HEAD, ["---"] * len(HEAD), *rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    reasons = [reason for runs in by_key.values() for reason in _reasons(runs)]
    return "\n\n".join([text, *(["\n".join(reasons)] if reasons else [])])


def _rows(runs: Sequence[Outcome]) -> list[tuple[str, ...]]:
    scenario = runs[0].scenario
    faults: dict[str, list[Step]] = {}
    for step in (step for run in runs for step in run.steps):
        faults.setdefault(step.fault, []).append(step)
    shared = (scenario.key, scenario.title)
    if not faults:
        return [(*shared, "", str(len(runs)), *("" for _ in _FIGURES), verdict(runs))]
    return [
        (
            *shared,
            fault,
            str(len(runs)) if len(steps) == len(runs) else f"{len(runs)} ({len(steps)} faults)",
            _figures(steps, lambda step: step.gap_seconds),
            _limit(steps[0].limits.gap_seconds),
            _figures(steps, lambda step: step.client_seconds),
            _limit(steps[0].limits.client_seconds),
            _figures(steps, lambda step: step.heal_seconds),
            _limit(steps[0].limits.heal_seconds),
            verdict(runs),
        )
        for fault, steps in faults.items()
    ]


def verdict(runs: Sequence[Outcome]) -> str:
    """`green`, or how many of the runs were not."""
    counts = {
        kind: sum(run.verdict is kind for run in runs) for kind in (Verdict.RED, Verdict.ERROR)
    }
    bad = [f"{kind} {count} of {len(runs)}" for kind, count in counts.items() if count]
    return ", ".join(bad) or str(Verdict.GREEN)


def _figures(steps: Iterable[Step], figure: Callable[[Step], float | None]) -> str:
    values = [value for value in map(figure, steps) if value is not None]
    return f"{median(values):.2f} / {max(values):.2f}" if values else ""


def _limit(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:g}"


def _reasons(runs: Sequence[Outcome]) -> list[str]:
    lines: list[str] = []
    for number, run in enumerate(runs, 1):
        where = f"- {run.scenario.key}, run {number}"
        lines += [f"{where}, {run.verdict}: {problem}" for problem in run.problems[:5]]
        if len(run.problems) > 5:
            lines.append(f"{where}: and {len(run.problems) - 5} more")
        if run.error:
            lines.append(f"{where}, {run.verdict}: {run.error.strip().splitlines()[-1]}")
        lines += [f"{where}: {note}" for note in run.notes]
    return lines
