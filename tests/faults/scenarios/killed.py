"""`pulumi up` killed at random instants: the CLI, and with it every plugin; then `up` again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from tests.faults.cluster import API_FAILURES, SEEDS, UNITS, Cluster
from tests.faults.run import Run
from tests.faults.scenario import Scenario

_FIRST_UP_SECONDS = 30.0
"""Somewhat longer than a first `up` takes, so that every moment of it may be hit."""
_SCALE_DOWN_SECONDS = 14.0
_AGAIN_SECONDS = 180.0
_LOOK_SECONDS = 0.1


class Tokens(threading.Thread):
    """Sees which running seeds have been there under which token, for as long as it is not told to
    end. A seed reads its token once: one that was there under two of them, or two that are there
    under one each, are two tokens in use."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(name="tokens", daemon=True)
        self.over = threading.Event()
        self._cluster = cluster
        self._seen: dict[str, set[str]] = {}

    @property
    def mixed(self) -> list[str]:
        """Seeds that ran while one token was replaced by another."""
        return sorted(seed for seed, tokens in self._seen.items() if len(tokens) > 1)

    def run(self) -> None:
        while not self.over.wait(_LOOK_SECONDS):
            try:
                token, seeds = self._cluster.bootstrap_token(), self._cluster.running(SEEDS)
                same = token == self._cluster.bootstrap_token()
            except API_FAILURES:
                continue
            if same:
                self.note(token, seeds)

    def note(self, token: str, seeds: Iterable[str]) -> None:
        """Take down who runs while this is the token; empty: there is none."""
        for uid in seeds if token else ():
            self._seen.setdefault(uid, set()).add(token)


@contextmanager
def _one_token_at_a_time(run: Run) -> Generator[None]:
    tokens = Tokens(run.cluster)
    tokens.start()
    try:
        yield
    finally:
        tokens.over.set()
        tokens.join()
    assert not tokens.mixed, f"seeds that ran under two tokens: {tokens.mixed}"


def first_up(run: Run) -> None:
    """From nothing each time."""
    moments = _moments(run, _FIRST_UP_SECONDS)
    for number, moment in enumerate(moments):
        run.cluster.reset()
        with _one_token_at_a_time(run):
            began = time.monotonic()
            with run.background_up() as up:
                run.write_once_served(up, moment)
                run.last(max(0.0, moment - (time.monotonic() - began)))
            _again(run, f"first `up` killed after {moment:.1f} s", refresh=number % 2 == 1)
        run.conclude()


def scale_down(run: Run) -> None:
    """From five units to three each time, under one writer."""
    for number, moment in enumerate(_moments(run, _SCALE_DOWN_SECONDS)):
        run.cluster.want(5)
        run.stack.up()
        run.cluster.want(len(UNITS))
        with run.background_up():
            run.last(moment)
        _again(run, f"scale-down killed after {moment:.1f} s", refresh=number % 2 == 1)


def _moments(run: Run, longest: float) -> list[float]:
    """Random instants; what they were made from stands in the notes."""
    seed = random.randrange(10**6)
    run.notes.append(f"instants by random.Random({seed})")
    dice = random.Random(seed)
    return [dice.uniform(0, longest) for _ in range(run.rounds)]


def _again(run: Run, what: str, *, refresh: bool) -> None:
    """The next `up` ends well, in half of the cases after a refresh, and leaves nothing to do."""
    since, began = time.time_ns(), time.monotonic()
    if refresh:
        done = run.stack.pulumi("refresh", "--yes", "--skip-preview")
        assert done.code == 0, f"{what}; refresh: {done}"
    with run.background_up() as up:
        run.write_once_served(up)
        up.must_succeed(_AGAIN_SECONDS)
    run.record(f"{what}{', refresh' if refresh else ''}", time.monotonic() - began, since_ns=since)
    run.stack.up("--expect-no-changes")


SCENARIOS = (
    Scenario("19a", "first `up` killed at any time", first_up, rounds=20, from_nothing=True),
    Scenario("19b", "scale-down killed at any time", scale_down, rounds=20),
)
