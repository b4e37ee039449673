"""`pulumi up` killed at random instants: the CLI, and with it every plugin; then `up` again."""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager

from tests.faults.cluster import SEEDS, UNITS, Cluster
from tests.faults.early_ends import none_ends_early
from tests.faults.looking import looking
from tests.faults.run import Run
from tests.faults.scenario import Scenario, SuiteError
from tests.support.background_up import BackgroundUp

_FIRST_UP_SECONDS = 30.0
"""Somewhat longer than a first `up` takes, so that every moment of it may be hit."""
_SCALE_DOWN_SECONDS = 10.0
_AGAIN_SECONDS = 180.0
_MISSES = 10


class Tokens:
    """Which running seeds have been there under which token. A seed reads its token once: one that
    was there under two of them, or two that are there under one each, are two tokens in use."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._seen: dict[str, set[str]] = {}

    @property
    def mixed(self) -> list[str]:
        """Seeds that ran while one token was replaced by another."""
        return sorted(seed for seed, tokens in self._seen.items() if len(tokens) > 1)

    def look(self) -> None:
        token, seeds = self._cluster.bootstrap_token(), self._cluster.running(SEEDS)
        if token == self._cluster.bootstrap_token():
            self.note(token, seeds)

    def note(self, token: str, seeds: Iterable[str]) -> None:
        """Take down who runs while this is the token; empty: there is none."""
        for uid in seeds if token else ():
            self._seen.setdefault(uid, set()).add(token)


@contextmanager
def _one_token_at_a_time(run: Run) -> Generator[None]:
    tokens = Tokens(run.cluster)
    with looking(tokens.look):
        yield
    assert not tokens.mixed, f"seeds that ran under two tokens: {tokens.mixed}"


class Instants:
    """Random instants, until so many have hit an `up` that still ran.

    Whoever gets one says `hit` or `missed`. One that came after the end hits nothing: it does not
    count, and the next ones are drawn from the time that an `up` is known to take.
    """

    def __init__(self, seed: int, longest: float, wanted: int) -> None:
        self.hits = self.misses = 0
        self._dice = random.Random(seed)
        self._longest = longest
        self._wanted = wanted

    def __iter__(self) -> Iterator[float]:
        """Raises SuiteError where too many miss."""
        while self.hits < self._wanted:
            if self.misses > _MISSES:
                raise SuiteError(f"{self.misses} instants came after the end of `up`")
            yield self._dice.uniform(0, self._longest)

    def hit(self) -> None:
        self.hits += 1

    def missed(self, ended: float) -> None:
        """`ended`: after so many seconds it was done."""
        self.misses += 1
        self._longest = min(self._longest, ended)


def first_up(run: Run) -> None:
    """From nothing each time."""
    with _instants(run, _FIRST_UP_SECONDS) as instants:
        for moment in instants:
            run.cluster.reset()
            with _one_token_at_a_time(run), none_ends_early(run.cluster, SEEDS):
                with run.background_up() as up:
                    run.write_once_served(up, moment)
                    killed = _killed(up, moment, instants)
                if killed:
                    _again(run, f"first `up` killed after {moment:.1f} s", instants.hits)
            run.conclude()


def scale_down(run: Run) -> None:
    """From five units to three each time, under one writer."""
    with _instants(run, _SCALE_DOWN_SECONDS) as instants:
        for moment in instants:
            run.cluster.want(5)
            run.stack.up()
            run.cluster.want(len(UNITS))
            with run.background_up() as up:
                killed = _killed(up, moment, instants)
            if killed:
                _again(run, f"scale-down killed after {moment:.1f} s", instants.hits)


@contextmanager
def _instants(run: Run, longest: float) -> Generator[Instants]:
    """What they were made from stands in the notes, and how many have missed."""
    seed = random.randrange(10**6)
    run.notes.append(f"instants by random.Random({seed})")
    instants = Instants(seed, longest, run.rounds)
    try:
        yield instants
    finally:
        if instants.misses:
            late = f"{instants.misses} instants came after the end of `up`, others in their place"
            run.notes.append(late)


def _killed(up: BackgroundUp, moment: float, instants: Instants) -> bool:
    """Kill `up` so long after its begin; whether it still ran. Else it must have ended well."""
    up.last(moment)
    if up.end():
        instants.hit()
        return True
    instants.missed(up.must_succeed(0).seconds)
    return False


def _again(run: Run, what: str, number: int) -> None:
    """The next `up` ends well, every second time after a refresh, and leaves nothing to do."""
    refresh = number % 2 == 0
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
