"""The one kind of error that the lab shows to people."""

from collections.abc import Callable
from pathlib import Path

Report = Callable[[str], None]
"""Takes one line of progress."""


USE_ANOTHER_CLUSTER = (
    "use a Kubernetes cluster that you have: write Pulumi.name.yaml with its context, "
    "then make up STACK=name"
)
"""The way out where no lab can be."""


class LabError(Exception):
    """What went wrong, with the observed value; the last line is `Next: <one thing to do>`."""

    def __init__(self, problem: str, next_step: str) -> None:
        super().__init__(f"{problem}\nNext: {next_step}")


def log_tail(log: Path, lines: int = 12) -> str:
    """Return the last lines of a log, indented; a note where there is none."""
    try:
        text = log.read_text(errors="replace").splitlines()
    except OSError:
        text = []
    return "\n".join(f"  | {line}" for line in text[-lines:] or ["(nothing in the log)"])
