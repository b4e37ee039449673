"""Run commands that take long: log kept, progress shown, one clear error."""

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.cache import PROGRESS_SECONDS
from lab.errors import USE_ANOTHER_CLUSTER, LabError, Report, log_tail


@dataclass(frozen=True)
class Task:
    """Something that is made by commands, one after the other."""

    name: str
    """Begins each line of progress."""
    log: Path
    """Takes the output of all its commands."""
    report: Report

    def say(self, line: str) -> None:
        self.report(f"{self.name}: {line}")

    def run(
        self,
        doing: str,
        argv: Sequence[str | Path],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run a command and report what it is doing until it ends.

        Raises LabError with the end of the log where the command fails; ends the command where
        this process is interrupted.
        """
        began = time.monotonic()
        if shutil.which(argv[0]) is None:
            raise LabError(
                f"{self.name}: {doing} needs {argv[0]}, which is not on this machine.",
                USE_ANOTHER_CLUSTER,
            )
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=env,
            )
            try:
                while process.poll() is None:
                    try:
                        process.wait(PROGRESS_SECONDS)
                    except subprocess.TimeoutExpired:
                        self.say(f"{doing}, {time.monotonic() - began:.0f} s")
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        if process.returncode != 0:
            raise LabError(
                f"{self.name}: {doing} failed with exit code {process.returncode}; "
                f"the end of its log:\n{log_tail(self.log)}",
                f"read the whole log at {self.log}",
            )
