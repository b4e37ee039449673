"""The product's own program and the empty one, driven by the Pulumi CLI."""

import re
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cluster import NAME, pod_endpoints, service_address
from bench.shell import BenchError, Done, Shell
from lab.state import CHECKOUT
from tests.support.writer import Report, Summary, Writer

EMPTY = CHECKOUT / "bench" / "empty"

# As they follow each other; outputs come back in the order of the alphabet.
_BIRTH = ("checks", "pods", "token", "cluster formed")
_HANDOVER = ("units vote", "seeds removed", "teardown", "receipt")


@dataclass(frozen=True)
class Stack:
    """A Pulumi program with one stack of its own in the lab's backend."""

    shell: Shell
    program: Path
    name: str
    config: Path
    """The stack's config: not in the program's folder, so that a benchmark edits no file there."""

    @classmethod
    def create(cls, shell: Shell, program: Path, name: str, folder: Path) -> "Stack":
        """Make the stack, with a copy of the config that the program's folder has for it."""
        # `stack init` writes the config file beside Pulumi.yaml, wherever that is.
        folder.mkdir()
        shutil.copy(program / "Pulumi.yaml", folder)
        config = folder / f"Pulumi.{name}.yaml"
        if (program / config.name).exists():
            shutil.copy(program / config.name, folder)
        shell.timed("pulumi", "--cwd", str(folder), "stack", "init", name, "--no-select")
        return cls(shell, program, name, config)

    def up(self, *flags: str) -> Done:
        """Without the preview, as `make up`: a person reads it and answers, in their own time."""
        return self._pulumi("up", "--yes", "--skip-preview", *flags)

    def set_units(self, count: int) -> None:
        command = ("pulumi", "--cwd", str(self.program), "config", "set", "--path")
        where = ("--stack", self.name, "--config-file", str(self.config))
        self.shell.timed(*command, "etcd:units.count", str(count), *where)

    def destroy(self) -> Done:
        return self._pulumi("destroy", "--yes", "--skip-preview")

    def outputs(self) -> dict[str, Any]:
        command = ("pulumi", "--cwd", str(self.program), "stack", "output", "--json")
        return self.shell.json(*command, "--stack", self.name) or {}

    def _pulumi(self, *arguments: str) -> Done:
        return self.shell.timed(
            *("pulumi", "--cwd", str(self.program), "--non-interactive", "--color", "never"),
            *(*arguments, "--stack", self.name, "--config-file", str(self.config)),
        )


@dataclass(frozen=True)
class Up:
    """One `pulumi up` from nothing, with a writer from the Service's first second on."""

    seconds: float
    silence_seconds: float
    """Longest time without a line of output."""
    phases: dict[str, float]
    """Of birth and handover, in their order, and what is left of the whole."""
    handover_seconds: float
    """From the moment that every unit votes until nothing of the bootstrap is left."""
    handover_gap_seconds: float
    summary: Summary
    report: Report


class _WriterWhenServed(threading.Thread):
    """Starts the writer as soon as the Service has an address."""

    def __init__(self, shell: Shell, binary: Path, folder: Path) -> None:
        super().__init__(daemon=True)
        self.writer: Writer | None = None
        self.over = threading.Event()
        self._made = (shell, binary, folder)

    def run(self) -> None:
        shell, binary, folder = self._made
        while not self.over.is_set():
            address = service_address(shell)
            if address:
                self.writer = Writer(binary, [address], folder, wait_seconds=300).__enter__()
                return
            time.sleep(0.2)


def measured_up(stack: Stack, binary: Path, folder: Path) -> Up:
    """Run `pulumi up` with a writer beside it, then compare every member with its log."""
    watch = _WriterWhenServed(stack.shell, binary, folder)
    watch.start()
    try:
        done = stack.up()
    finally:
        watch.over.set()
        watch.join()
        if watch.writer is not None:
            watch.writer.stop()
    if watch.writer is None:
        raise BenchError(f"Service {NAME} never had an address.\nNext: make status")
    report = watch.writer.check(pod_endpoints(stack.shell))
    timings: dict[str, dict[str, float]] = stack.outputs()["timings"]
    birth, handover = timings["birth"], timings["handover"]
    passage = sum(seconds for phase, seconds in handover.items() if phase != "units vote")
    ended_ns = next(
        (
            line.at_ns
            for line in done.lines
            if "[handover]" in line.text and "balanced" in line.text
        ),
        done.began_ns + int(done.seconds * 1e9),
    )
    phases = {f"birth: {phase}": birth[phase] for phase in _BIRTH}
    phases |= {f"handover: {phase}": handover[phase] for phase in _HANDOVER}
    phases["the rest: Pulumi, image, objects"] = done.seconds - sum(phases.values())
    return Up(
        seconds=done.seconds,
        silence_seconds=done.silence_seconds,
        phases=phases,
        handover_seconds=passage,
        handover_gap_seconds=watch.writer.longest_gap(ended_ns - int(passage * 1e9), ended_ns),
        summary=watch.writer.summary(),
        report=report,
    )


@dataclass(frozen=True)
class Scaled:
    """One `pulumi up` that changes the number of units, under the writer."""

    seconds: float
    sequence_seconds: float
    """Of it, the sequence: from its first look to its receipt."""
    gap_seconds: float
    summary: Summary
    report: Report


def measured_scale(stack: Stack, count: int, binary: Path, folder: Path) -> Scaled:
    """Set the number of units and run `pulumi up` with a writer beside it."""
    stack.set_units(count)
    address = service_address(stack.shell)
    if address is None:
        raise BenchError(f"Service {NAME} has no address.\nNext: make status")
    with Writer(binary, [address], folder) as writer:
        writer.wait_until_writing()
        done = stack.up()
        ended_ns = time.time_ns()
        summary = writer.summary()
    told = [float(n) for n in re.findall(r"\[scale\] +([\d.]+) s  balanced", done.text)]
    return Scaled(
        seconds=done.seconds,
        sequence_seconds=told[0],
        gap_seconds=writer.longest_gap(done.began_ns, ended_ns),
        summary=summary,
        report=writer.check(pod_endpoints(stack.shell)),
    )


def alternate_no_op(product: Stack, empty: Stack, count: int) -> tuple[list[float], list[float]]:
    """Seconds of `pulumi up` that changes nothing: product, empty program, product, ..."""
    empty.up()
    flags = ("--expect-no-changes",)
    product.up(*flags)
    empty.up(*flags)
    pairs = [(product.up(*flags).seconds, empty.up(*flags).seconds) for _ in range(count)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
