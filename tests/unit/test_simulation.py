"""The real rules in a simulated cluster where things break at random, over many lives.

ETCD_SIMULATED_LIVES=2000 lives longer: a life is some 450 steps of seven members and a sequence.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from containers.etcd.supervisor import rules, stopping
from containers.etcd.supervisor.membership import View
from tests.support.simulation import World

LIVES = int(os.environ.get("ETCD_SIMULATED_LIVES", "60"))
RESTLESS_STEPS, QUIET_STEPS = 400, 400


def live(seed: int) -> World:
    world = World(seed)
    for _ in range(RESTLESS_STEPS):
        world.step(quiet=False)
    world.settle(QUIET_STEPS)
    return world


def lives(count: int) -> None:
    for seed in range(count):
        live(seed)


def test_whatever_breaks_the_rules_hold_and_the_cluster_comes_to_rest() -> None:
    lives(LIVES)


def _nothing(*_: object) -> None:
    """Whatever it is asked about may go on."""


def _always_leave(view: View | None, *rest: Any) -> stopping.Step:
    _, _, (_, peer_url), _ = rest
    mine = view and view.by_peer_url(peer_url)
    return stopping.Leave(mine) if mine else stopping.Stop()


BROKEN = {
    "members are changed at any time": (rules, "unsettled", _nothing),
    "a learner is promoted at once": (rules, "unready_to_vote", _nothing),
    "a joiner never waits": (rules, "blocked_from", _nothing),
    "members leave at every stop": (stopping, "before_stop", _always_leave),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, function, broken = BROKEN[name]
    monkeypatch.setattr(module, function, broken)
    with pytest.raises(AssertionError, match="seed"):
        lives(200)
