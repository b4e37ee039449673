"""Runs the load writer of `tests/writer` beside a test or a benchmark, and its checker afterwards.

with Writer(ensure(["writer"])["writer"], ["http://10.96.0.7:2379"], tmp_path) as writer:
    writer.wait_until_writing()
    ...  # do to the cluster what is to be judged
assert writer.summary().longest_gap_seconds <= 0.5
assert writer.check(["http://10.244.0.5:2379", ...]).problems == []
"""

import json
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import NotRequired, Self, TypedDict

ELECTION_SECONDS = 1.0
"""A gap that is shorter holds no election: followers wait for 1 to 2 s before they stand for one
(etcd's default). The aim of a planned change is 0.5 s (docs/measurements.md); beside the tests of
another worker a machine with two processors has stood still for longer than that."""

OUTAGE_SECONDS = 5.0
"""A machine does not stand still for that long: clients are led to where nobody is."""


def interrupted(gap_seconds: float, terms: int, output: str) -> bool:
    """Whether this time without acknowledged writes was an outage, in so many new terms of Raft: a
    leader was elected, beside those to whom a sequence has moved leadership, or it was a long one.
    """
    moves = len(set(re.findall(r"leader moved from \S+ to \S+", output)))
    return gap_seconds >= OUTAGE_SECONDS or (gap_seconds >= ELECTION_SECONDS and terms > moves)


@dataclass(frozen=True)
class Summary:
    """What the writer saw. Times are Unix nanoseconds. See `summary` in `tests/writer/write.go`."""

    acknowledged: int
    failed: int
    """Writes with an error after the first acknowledged one: each may or may not have happened."""
    errors: dict[str, int]
    """Error message of failed writes -> how often."""
    first_ack_ns: int
    last_ack_ns: int
    longest_gap_seconds: float
    """Longest time without an acknowledged write by any client; the end of the run counts too."""
    longest_gap_began_ns: int
    rate_per_second: float
    reads: int
    failed_reads: int
    read_errors: dict[str, int]
    stale_reads: list[str]
    """Linearizable reads that did not see a write acknowledged before they began: must be empty."""


class Write(TypedDict):
    """One write of the log."""

    key: str
    value: str
    revision: int
    start_ns: int
    end_ns: int
    client: int
    error: NotRequired[str]
    """Of a write that was not acknowledged, which may or may not have happened."""


class Member(TypedDict):
    """What one endpoint said of itself. IDs are hexadecimal, as in etcdctl."""

    endpoint: str
    member_id: str
    cluster_id: str
    leader: str
    term: int
    learner: bool
    keys: int
    hash: int
    compact_revision: int


class Listed(TypedDict):
    """One entry of the membership list."""

    id: str
    name: str
    peer_urls: list[str]
    learner: bool


@dataclass(frozen=True)
class Report:
    """What the checker found. See `report` in `tests/writer/check.go`."""

    acknowledged: int
    revision: int
    """The revision at which all members were compared."""
    members: list[Member]
    membership: list[Listed]
    missing: int
    """Acknowledged keys that a member lacks or has another value of, all members together."""
    problems: list[str]
    """One sentence for each broken promise; empty when all is well."""


def longest_gap(writes: Sequence[Write], since_ns: int, until_ns: int) -> tuple[int, int]:
    """Begin and end of the longest time between two acknowledged writes that overlaps this span;
    the span itself where there is none. `writes`: all of a log, in the order in which they ended.
    """
    acknowledged = [write["end_ns"] for write in writes if "error" not in write]
    gaps = [(a, b) for a, b in pairwise(acknowledged) if b >= since_ns and a <= until_ns]
    return max(gaps, key=lambda gap: gap[1] - gap[0], default=(since_ns, until_ns))


class Writer:
    """The writer process and its log in `directory`. Use it as a context manager.

    It may be started before the cluster exists: what fails before the first acknowledged write is
    not counted, and `wait_seconds` later without one the writer gives up.
    """

    def __init__(
        self,
        binary: Path,
        endpoints: Sequence[str],
        directory: Path,
        *,
        clients: int = 4,
        rate: float = 250,
        wait_seconds: float = 60,
    ) -> None:
        self._binary = binary
        self._wait_seconds = wait_seconds
        self.log = directory / "writer.jsonl"
        self._stdout = directory / "writer.out"
        self._stderr = directory / "writer.err"
        self._command = [
            *(str(binary), "write"),
            *("--endpoints", ",".join(endpoints)),
            *("--log", str(self.log)),
            *("--clients", str(clients)),
            *("--rate", str(rate)),
            *("--wait", f"{wait_seconds}s"),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._summary: Summary | None = None

    def __enter__(self) -> Self:
        self.log.unlink(missing_ok=True)
        with self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            self._process = subprocess.Popen(self._command, stdout=out, stderr=err)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.summary()
        else:
            self.stop()  # the error that is on its way says more than a summary

    def wait_until_writing(self) -> None:
        """Return at the first acknowledged write; raise RuntimeError when the writer gives up."""
        deadline = time.monotonic() + self._wait_seconds + 5
        while not (self.log.exists() and self.log.stat().st_size):
            if self._running().poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"The writer never wrote. It said: {self._stderr.read_text()}")
            time.sleep(0.02)

    def stop(self) -> int:
        """End the writer, unless that is done; return its exit code."""
        process = self._running()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def summary(self) -> Summary:
        """End the writer, unless that is done, and tell what it saw.

        Stale reads are in the summary; a writer that could not write at all is a RuntimeError.
        """
        if self._summary is None:
            code = self.stop()
            out = self._stdout.read_text()
            if not out:
                raise RuntimeError(
                    f"The writer ended with exit code {code}. It said: {self._stderr.read_text()}"
                )
            self._summary = Summary(**json.loads(out))
        return self._summary

    def attempts(self) -> list[Write]:
        """All writes from the first acknowledged one on, in the order in which they ended."""
        lines = self.log.read_text().splitlines(keepends=True)
        # While the writer runs, the last line may be half written.
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def writes(self) -> list[Write]:
        """The acknowledged writes so far, in the order of their acknowledgement."""
        return [write for write in self.attempts() if "error" not in write]

    def longest_gap(self, since_ns: int, until_ns: int) -> float:
        """Longest time in seconds between two acknowledged writes that overlaps this time span.

        Asked after the writer has ended, or when writes flow again: an outage still going on is
        not in the log yet.
        """
        began_ns, ended_ns = longest_gap(self.attempts(), since_ns, until_ns)
        return (ended_ns - began_ns) / 1e9

    def check(self, endpoints: Sequence[str], wait_seconds: float = 60) -> Report:
        """Compare every member's own copy with the log; `endpoints` are the members' client URLs.

        Members that are catching up or electing have `wait_seconds` to finish.
        """
        done = subprocess.run(
            [
                *(str(self._binary), "check"),
                *("--endpoints", ",".join(endpoints)),
                *("--log", str(self.log)),
                *("--wait", f"{wait_seconds}s"),
            ],
            capture_output=True,
            text=True,
            timeout=wait_seconds + 120,
            check=False,
        )
        if not done.stdout:
            raise RuntimeError(f"The checker ended with exit code {done.returncode}: {done.stderr}")
        return Report(**json.loads(done.stdout))

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("The writer was not started: use it in a with statement.")
        return self._process
