"""Figures and tables, as text. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

BEGIN = "<!-- figures: written by make bench -->"
END = "<!-- end of figures -->"


@dataclass(frozen=True)
class Figure:
    """One measured quantity; at least one value."""

    what: str
    unit: str
    values: tuple[float, ...]
    goal: str = ""
    """From the design; empty where there is none."""

    @property
    def cells(self) -> tuple[str, ...]:
        numbers = (min(self.values), median(self.values), max(self.values))
        return (self.what, self.unit, *(f"{n:.4g}" for n in numbers), self.goal)


def figure_table(figures: Iterable[Figure]) -> str:
    """A Markdown table of smallest, median and largest value."""
    return table(("what", "unit", "min", "median", "max", "goal"), [f.cells for f in figures])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def by_name(runs: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """Turn one mapping a run into one tuple a name, in the order in which names appear first.

    A name that a run lacks counts as 0 there: a phase that was not needed took no time.
    """
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: tuple(run.get(name, 0.0) for run in runs) for name in names}


def stolen_share(before: Sequence[int], after: Sequence[int]) -> float:
    """Of the processor time that was wanted between two looks, what the host gave to others.

    Both: the numbers of the first line of /proc/stat (proc(5)): user, nice, system, idle, iowait,
    irq, softirq, steal, and then what is counted in these already.
    """
    user, nice, system, _, _, irq, softirq, steal = [
        b - a for a, b in zip(before, after, strict=True)
    ][:8]
    wanted = user + nice + system + irq + softirq + steal
    return steal / wanted if wanted else 0.0


def replace_figures(document: str, text: str) -> str:
    """Put the text between the markers of a document; at its end if it has none."""
    before, begin, rest = document.partition(BEGIN)
    after = rest.partition(END)[2] if begin else "\n"
    return f"{before.rstrip()}\n\n{BEGIN}\n\n{text.strip()}\n\n{END}{after}"
