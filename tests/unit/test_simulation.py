"""The real rules in simulated lives, of which each run lives others; `make simulate` lives longer.

A failure names its life, which `python -m tests.simulation --first` lives again.
"""

from __future__ import annotations

import pytest

from tests.simulation.broken import BROKEN, Broken
from tests.simulation.lives import any_life, found_after, live_through
from tests.simulation.promises import Promise

LIVES = 60


def test_whatever_breaks_every_promise_is_at_stake_and_kept() -> None:
    _, held = live_through(any_life(), LIVES)
    assert [promise for promise in Promise if not held[promise]] == []


def test_every_promise_has_a_broken_rule_that_breaks_it() -> None:
    assert {broken.breaks for broken in BROKEN} == set(Promise)


@pytest.mark.parametrize(
    "broken",
    [pytest.param(broken, id=broken.name) for broken in BROKEN if not broken.takes_many_lives],
)
def test_a_broken_rule_is_found(broken: Broken) -> None:
    assert found_after(broken, any_life()) is not None


def test_a_life_is_the_same_whenever_it_is_lived() -> None:
    life = any_life()
    assert live_through(life, 1) == live_through(life, 1)
