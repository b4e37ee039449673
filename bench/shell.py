"""Runs programs in a lab's environment, and measures how long they take."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from lab.state import CHECKOUT


class BenchError(Exception):
    """The benchmark cannot go on. The text ends with the one next step."""


@dataclass(frozen=True)
class Line:
    """One line of output, and when it came (Unix nanoseconds)."""

    at_ns: int
    text: str


@dataclass(frozen=True)
class Done:
    """A command that has ended well."""

    began_ns: int
    seconds: float
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)

    @property
    def silence_seconds(self) -> float:
        """The longest time without a line that says something, begin and end counted as such.

        Pulumi's dots (`@ updating....`) say nothing: they come whatever hangs.
        """
        said = [line.at_ns for line in self.lines if line.text.strip() and line.text[0] != "@"]
        times = [self.began_ns, *said, self.began_ns + round(self.seconds * 1e9)]
        return max(b - a for a, b in pairwise(times)) / 1e9


@dataclass(frozen=True)
class Shell:
    """The environment of one lab."""

    env: Mapping[str, str]

    @classmethod
    def of_lab(cls, env_file: Path) -> "Shell":
        """Read what `. env_file` sets."""
        done = subprocess.run(
            ["sh", "-c", '. "$0" && env -0', str(env_file)], capture_output=True, check=True
        )
        pairs = [entry.partition("=") for entry in done.stdout.decode().split("\0") if entry]
        return cls({name: value for name, _, value in pairs})

    def timed(self, *command: str, cwd: Path = CHECKOUT) -> Done:
        """Run a command to its end, noting when each line of its output came.

        Raises BenchError with the output when it fails.
        """
        began_ns, began = time.time_ns(), time.monotonic()
        with subprocess.Popen(
            command,
            cwd=cwd,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            lines = tuple(Line(time.time_ns(), text.rstrip("\n")) for text in process.stdout)
        seconds = time.monotonic() - began
        if process.returncode:
            said = "\n".join(line.text for line in lines)
            raise BenchError(
                f"{' '.join(command)} ended with exit code {process.returncode}:\n{said}\n"
                "Next: repair that, then make bench"
            )
        return Done(began_ns, seconds, lines)

    def json(self, *command: str, stdin: str | None = None) -> Any:
        """Run a command and parse its output; None where it fails or says nothing."""
        done = subprocess.run(
            command, cwd=CHECKOUT, env=self.env, input=stdin, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def timed_lab(*arguments: str) -> float:
    """Run `python -m lab`; return the seconds it took."""
    return Shell(os.environ).timed(sys.executable, "-m", "lab", *arguments).seconds


def processor_ticks() -> list[int]:
    """How this machine's processors have spent their time, in ticks: see `figures.stolen_share`."""
    return [int(n) for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
