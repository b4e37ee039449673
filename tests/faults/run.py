"""One run of a scenario: a writer writes, faults are made, then everything is compared."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults import judgement
from tests.faults.cluster import MEMBERS, Cluster, UnwellError
from tests.faults.disk_watch import DiskWatch
from tests.faults.etcd_api import NoAnswerError
from tests.faults.injection.pod_processes import NotRunningError
from tests.faults.looking import looking
from tests.faults.membership_watch import MembershipWatch, Sight
from tests.faults.scenario import Limits, Outcome, Scenario, Step, SuiteError
from tests.support.background_up import BackgroundUp, background_up
from tests.support.stack import until
from tests.support.writer import Writer

CLIENTS = 16
"""A client stays with the member that the Service has led it to until that one fails, and those of
a member that fails gather at the others. With 4 clients it happens once in 81 times that all of
them are at one member from the start: then what is measured is their reconnecting."""

PATIENCE_SECONDS = 90.0
"""How long a cluster may take to be well again; the limits of the scenarios are far below."""

_BIRTH_SECONDS = 600.0
"""How long the writer waits for a cluster; it may take a second `up`."""

_LOOK_SECONDS = 0.1
_LONG_SECONDS = 3.0
_FAILED = (AssertionError, UnwellError, NotRunningError, NoAnswerError)


@dataclass(frozen=True)
class _Fault:
    what: str
    limits: Limits
    since_ns: int
    until_ns: int
    heal_seconds: float | None
    written: bool
    """Whether somebody wrote meanwhile: else there is no gap to measure."""


class Run:
    """What a scenario works with."""

    def __init__(
        self, cluster: Cluster, folder: Path, rounds: int = 1, say: Callable[[str], None] = print
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.cluster = cluster
        self.stack = cluster.stack
        self.lab = cluster.lab
        self.folder = folder
        self.rounds = rounds
        self._say = say
        self.notes: list[str] = []
        self._faults: list[_Fault] = []
        self._steps: list[Step] = []
        self._problems: list[str] = []
        self._writer: Writer | None = None
        self._writers = 0
        self._writing = True
        self._end = ExitStack()
        self._watch = MembershipWatch(lambda: self.cluster.endpoints(MEMBERS))
        self._disk = DiskWatch()

    # ------------------------------------------------------------ for the scenarios

    def write(self, wait_seconds: float = 60) -> None:
        """Start the writer at the client Service; it gives up when nothing is acknowledged."""
        assert self._writer is None, "one writer at a time"
        self._writers += 1
        folder = self.folder / f"writer-{self._writers}"
        folder.mkdir()
        writer = Writer(
            self.cluster.writer_binary,
            [self.stack.address()],
            folder,
            clients=CLIENTS,
            wait_seconds=wait_seconds,
        )
        self._writer = writer.__enter__()
        self._writing = True
        # Not its own __exit__, which would put its summary's error in the place of the verdict.
        self._end.callback(writer.stop)

    def wait_for_a_write(self) -> None:
        """Until one is acknowledged."""
        assert self._writer is not None, "nobody writes"
        self._writer.wait_until_writing()

    def stop_writing(self) -> None:
        """End the load before something that must end it; what was acknowledged is checked."""
        assert self._writer is not None, "nobody writes"
        self._writer.summary()
        self._writing = False

    def acknowledged(self, since_ns: int, until_ns: int) -> int:
        """How many writes were acknowledged in this span."""
        assert self._writer is not None, "nobody writes"
        return judgement.acknowledged(self._writer.attempts(), since_ns, until_ns)

    @contextmanager
    def first_up(self, deadline_seconds: int = 120) -> Generator[BackgroundUp]:
        """`pulumi up` from nothing, with the writer from the moment that the Service is there.

        `deadline_seconds`: of its own waits, `handover.timeoutSeconds`.

        `with` ends when the body does; an `up` that still runs then is killed.
        """
        self.cluster.reset()
        self.stack.set(handover={"timeoutSeconds": deadline_seconds})
        with self.background_up() as up:
            self.write_once_served(up)
            yield up

    def background_up(self) -> AbstractContextManager[BackgroundUp]:
        return background_up(self.stack, self.folder / "up.log")

    def write_once_served(self, up: BackgroundUp, seconds: float = 60) -> None:
        """Start the writer as soon as `up` has made the Service, if it does so in this time."""
        deadline = time.monotonic() + seconds
        while up.running and time.monotonic() < deadline and not self.cluster.has_service():
            time.sleep(_LOOK_SECONDS)
        if self._writer is None and self.cluster.has_service():
            self.write(wait_seconds=_BIRTH_SECONDS)

    @contextmanager
    def fault(
        self,
        what: str,
        *,
        gap: float | None = None,
        heal: float | None = None,
        client: float | None = None,
    ) -> Generator[None]:
        """Make a fault in the with statement, which ends when it is over; then wait until all is
        well again. `gap`, `heal` and `client`: the limits, in seconds."""
        since = time.time_ns()
        yield
        over, began = time.time_ns(), time.monotonic()
        problem = self._wait_until_well(over)
        took = time.monotonic() - began
        self.record(what, took, since_ns=since, gap=gap, heal=heal, client=client)
        assert not problem, f"{what}: not well after {PATIENCE_SECONDS:.0f} s: {problem}"
        # Or the gap that the next fault makes would begin with a write of this one's time.
        recorded = time.time_ns()
        until("a write after it", lambda: not self._not_written_since(recorded), PATIENCE_SECONDS)

    def record(
        self,
        what: str,
        heal_seconds: float | None,
        *,
        since_ns: int,
        gap: float | None = None,
        heal: float | None = None,
        client: float | None = None,
    ) -> None:
        """Note a fault that ends now, whose healing a scenario has measured itself."""
        limits = Limits(gap, heal, client)
        written = self._writer is not None and self._writing
        self._faults.append(_Fault(what, limits, since_ns, time.time_ns(), heal_seconds, written))
        healed = "" if heal_seconds is None else f", well after {heal_seconds:.2f} s"
        self._say(f"    {what}{healed}")

    def last(self, seconds: float) -> None:
        """Let a fault last: its length belongs to the scenario and is no wait for anything."""
        time.sleep(seconds)

    @property
    def sights(self) -> list[Sight]:
        """The membership as it was seen since the beginning."""
        return self._watch.sights

    def conclude(self) -> None:
        """Compare every member's copy with what was acknowledged. Done at the end of every run; a
        scenario that begins from nothing again does it before."""
        self._problems += self._judge()
        self._close_round()

    # ------------------------------------------------------------ the run itself

    def _wait_until_well(self, since_ns: int) -> str:
        """Why the cluster is not well when the patience ends; nothing as soon as it is.

        What was waited for longest stands in the notes, if it took long.
        """
        began = changed = time.monotonic()
        last = ""
        while True:
            problem = self.cluster.problem() or self._not_written_since(since_ns)
            now = time.monotonic()
            if problem != last:
                if last and now - changed > _LONG_SECONDS:
                    self.notes.append(f"{now - changed:.1f} s of it: {last}")
                last, changed = problem, now
            if not problem or now - began > PATIENCE_SECONDS:
                return problem
            time.sleep(_LOOK_SECONDS)

    def _not_written_since(self, since_ns: int) -> str:
        """Nothing, if a write that began after this moment was acknowledged."""
        if self._writer is None or not self._writing:
            return ""
        with self._writer.log.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - 4096))
            lines = log.read().decode().split("\n")[1:-1]
        for line in reversed(lines):
            with suppress(ValueError):
                entry = json.loads(line)
                if "error" not in entry and entry["start_ns"] > since_ns:
                    return ""
        return "no write is acknowledged"

    def play(self, scenario: Scenario) -> Outcome:
        """Run the scenario and judge it."""
        error = ""
        with self._end, self._watch, looking(self._disk.look):
            try:
                if not scenario.from_nothing:
                    self.write()
                    assert self._writer is not None
                    self._writer.wait_until_writing()
                scenario.play(self)
                if self._writer is not None or not self._writers:
                    self.conclude()
            except _FAILED as failure:
                self._problems.append(f"{type(failure).__name__}: {failure}".strip())
            except Exception as failure:  # noqa: BLE001 - shown as the suite's own failure
                error = f"{type(failure).__name__}: {failure}"
            self._close_round()
        problems = [
            *self._problems,
            *judgement.of_steps(self._steps),
            *judgement.of_membership(self.sights, self.cluster.units),
        ]
        return Outcome(scenario, tuple(self._steps), tuple(problems), error, tuple(self.notes))

    def _close_round(self) -> None:
        """End the writer; its log is whole then, and tells the gaps."""
        self._end.close()
        self._steps += [self._step(fault) for fault in self._faults]
        self._faults.clear()
        self._writer = None

    def _judge(self) -> list[str]:
        """End the writer, and compare its log with every member's own copy."""
        problem = self._wait_until_well(time.time_ns())
        if problem:
            return [f"not well at the end: {problem}"]
        if self._writer is None:
            raise SuiteError("the scenario has started no writer")
        summary = self._writer.summary()
        report = self._writer.check(self.cluster.endpoints())
        return judgement.of_history(summary, report, self.cluster.units)

    def _step(self, fault: _Fault) -> Step:
        seconds = client = None
        if self._writer is not None and fault.written:
            writes = self._writer.attempts()
            # Before the first write of all there is no outage: the cluster is not born yet.
            if writes and writes[0]["end_ns"] <= fault.until_ns:
                gap = judgement.gap(writes, fault.since_ns, fault.until_ns)
                seconds = gap.seconds
                client = judgement.failing(writes, fault.since_ns, fault.until_ns)
                if seconds > (fault.limits.gap_seconds or math.inf):
                    waited = self._disk.seconds(gap.since_ns, gap.until_ns)
                    note = f"{fault.what}, the gap: {gap.story}"
                    if waited is not None:
                        note += f"; the disk kept all waiting for {waited:.2f} s"
                    self.notes.append(note)
        return Step(fault.what, fault.limits, seconds, fault.heal_seconds, client)
