"""Rules that are broken on purpose, and the promise that each of them must be seen to break.

A promise that no broken rule can break would be no promise.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from components.change import plan, restarts
from containers.etcd.supervisor import membership, rules, stopping
from containers.etcd.supervisor.membership import History, View
from tests.simulation.promises import Promise


@dataclass(frozen=True)
class Broken:
    """One broken rule."""

    name: str
    breaks: Promise
    places: tuple[tuple[Any, str], ...]
    """Modules, and the name in each, where it stands or was imported to."""
    instead: Any
    takes_many_lives: bool = False
    """Too many for `make test`; `make simulate` looks for it."""

    @contextmanager
    def applied(self) -> Generator[None]:
        with ExitStack() as stack:
            for owner, name in self.places:
                stack.enter_context(patch.object(owner, name, self.instead))
            yield


# The true ones, for what is broken in one point only.
_unit_start, _next_step = rules.unit_start, plan.next_step
_next_restart, _mend = restarts.next_restart, restarts.mend


def _nothing(*_: object) -> None:
    """No objection, no step."""


def _yes(*_: object) -> bool:
    return True


# ---------------------------------------------------------------- units


def _vote_at_once(view: View, history: History, _me: object, now: float) -> str | None:
    return rules.unsettled(view, history, now)


def _start_alone(disk: rules.Disk, view: View | None, url: str, *rest: Any) -> rules.Decision:
    return rules.Start() if view is None else _unit_start(disk, view, url, *rest)


def _believe_the_end(
    disk: rules.Disk, view: View | None, url: str, wanted: bool | None
) -> rules.Decision:
    """As it was: an etcd that ended with 0 was removed, whatever the list says."""
    if not (disk.ended and disk.data):
        return _unit_start(disk, view, url, wanted)
    return rules.SetAside() if wanted and view is not None else rules.Wait("removed")


def _wait_for_the_list(disk: rules.Disk, view: View | None, *rest: Any) -> rules.Decision:
    if disk.ended and view is None:
        return rules.Wait("no cluster answers")
    return _unit_start(disk, view, *rest)


def _keep_the_id(disk: rules.Disk, *rest: Any) -> rules.Decision:
    decision = _unit_start(disk, *rest)
    return rules.Resume(decision.member) if isinstance(decision, rules.Replace) else decision


def _join_unasked(disk: rules.Disk, view: View | None, url: str, _: bool | None) -> rules.Decision:
    return _unit_start(disk, view, url, wanted=True)


def _replace_what_runs(disk: rules.Disk, view: View | None, url: str, *rest: Any) -> rules.Decision:
    mine = view and view.by_peer_url(url)
    return rules.Replace(mine) if mine and disk.data else _unit_start(disk, view, url, *rest)


def _always_leave(view: View | None, _h: History, _now: float, me: Any, _: Any) -> stopping.Step:
    mine = view and view.by_peer_url(me[1])
    return stopping.Leave(mine) if mine else stopping.Stop()


# ---------------------------------------------------------------- handover and scale


def _not_sick_is_enough(view: View, history: History, now: float) -> str | None:
    return "sick" if any(history.healthy_for(m, now) < 0 for m in view.voters) else None


def _one_unit_is_enough(goal: plan.Goal, view: View, *rest: Any) -> plan.Step:
    seeds = [m for m in view.members if goal.is_seed(m) and m != view.leader]
    units = [m for m in view.voters if not goal.is_seed(m)]
    return plan.Remove(seeds[0]) if seeds and units else _next_step(goal, view, *rest)


def _lead_clients_on(
    goal: plan.Goal, view: View, history: History, now: float, workload: plan.Workload
) -> plan.Step:
    return _next_step(goal, view, history, now, replace(workload, serving_seeds=False))


def _done_when_units_vote(goal: plan.Goal, view: View, *rest: Any) -> plan.Step:
    voting = {m.pod for m in view.voters}
    return plan.Done() if voting.issuperset(goal.pods) else _next_step(goal, view, *rest)


def _move_at_every_up(goal: plan.Goal, view: View, history: History, *rest: Any) -> plan.Step:
    now = rest[0]
    others = [m for m in view.voters if m != view.leader and m.pod in goal.pods]
    first_look = all(since == now for since in history.healthy_since.values())
    if view.leader and others and first_look:
        return plan.MoveLeader(view.leader, others[0])
    return _next_step(goal, view, history, *rest)


# ---------------------------------------------------------------- rolling change


def _all_at_once(goal: plan.Goal, *rest: Any) -> restarts.Step:
    old = [pod for pod in rest[-1] if pod.name in goal.pods and not pod.current and not pod.ending]
    return restarts.Restart(old[0].name) if old else _next_restart(goal, *rest)


def _leader_as_any_other(*situation: Any) -> restarts.Step:
    step = _next_restart(*situation)
    return restarts.Restart(step.leader.pod) if isinstance(step, plan.MoveLeader) else step


def _never_restart(*_: object) -> restarts.Step:
    return plan.Done()


def _mend_at_any_price(
    goal: plan.Goal, _v: View, _h: History, _now: float, pods: Sequence[restarts.Pod]
) -> restarts.Step | None:
    failed = [pod.name for pod in pods if pod.failed and pod.name in goal.pods]
    return restarts.Restart(failed[-1]) if failed else None


def _wait_for_joiners(goal: plan.Goal, *rest: Any) -> restarts.Step | None:
    away = [pod for pod in rest[-1] if pod.name in goal.pods and not pod.ready]
    return None if any(not pod.failed for pod in away) else _mend(goal, *rest)


BROKEN = (
    Broken("members are changed at any time", Promise.SETTLED, ((rules, "unsettled"),), _nothing),
    Broken(
        "an observer that did not look takes health for unbroken",
        Promise.SETTLED,
        ((membership, "UNSEEN_SECONDS"),),
        math.inf,
        takes_many_lives=True,
    ),
    Broken("a joiner never waits", Promise.SETTLED, ((rules, "blocked_from"),), _nothing),
    Broken(
        "a dead member goes at any price",
        Promise.SETTLED,
        ((rules, "spares"), (plan, "spares"), (stopping, "spares")),
        _yes,
    ),
    Broken(
        "a learner votes at once", Promise.CAUGHT_UP, ((rules, "unready_to_vote"),), _vote_at_once
    ),
    Broken(
        "a unit starts when no cluster answers",
        Promise.BIRTH,
        ((rules, "unit_start"),),
        _start_alone,
    ),
    Broken(
        "an etcd that ends with 0 was removed, whatever the list says",
        Promise.ASIDE,
        ((rules, "unit_start"),),
        _believe_the_end,
    ),
    Broken(
        "an etcd that ends with 0 is not started again while nobody answers",
        Promise.REST,
        ((rules, "unit_start"),),
        _wait_for_the_list,
        takes_many_lives=True,
    ),
    Broken(
        "a member whose disk is lost keeps its ID",
        Promise.NEW_ID,
        ((rules, "unit_start"),),
        _keep_the_id,
    ),
    Broken(
        "a member whose disk is lost keeps its ID, and nobody minds",
        Promise.WRITES,
        ((rules, "unit_start"),),
        _keep_the_id,
        takes_many_lives=True,
    ),
    Broken(
        "a unit joins without being wanted",
        Promise.JOINING,
        ((rules, "unit_start"),),
        _join_unasked,
    ),
    Broken(
        "a restart is taken for a lost disk",
        Promise.PLANNED,
        ((rules, "unit_start"),),
        _replace_what_runs,
    ),
    Broken(
        "members leave at every stop", Promise.PLANNED, ((stopping, "before_stop"),), _always_leave
    ),
    Broken("a leader stops as any other", Promise.LEADER, ((stopping, "_hand_over"),), _nothing),
    Broken("nobody is ever abandoned", Promise.ALONE, ((stopping, "abandoned"),), _nothing),
    Broken(
        "seeds go as soon as one unit votes",
        Promise.TAKEN_OVER,
        ((plan, "next_step"),),
        _one_unit_is_enough,
    ),
    Broken(
        "seeds go while clients are led to them",
        Promise.UNSERVED,
        ((plan, "next_step"),),
        _lead_clients_on,
    ),
    Broken("a leading seed is removed", Promise.LEADER, ((plan, "_move"),), _nothing),
    Broken(
        "the handover is done when all units vote",
        Promise.SEEDS_END,
        ((plan, "next_step"),),
        _done_when_units_vote,
    ),
    Broken(
        "handover and scale take a voter as soon as it is back",
        Promise.SETTLED,
        ((plan, "unsettled"),),
        _not_sick_is_enough,
    ),
    Broken("a dead seed is never removed", Promise.REST, ((plan, "_dead"),), _nothing),
    Broken("wanted units are not brought back", Promise.REST, ((plan, "bring_back"),), _nothing),
    Broken(
        "every `up` moves the leader", Promise.SECOND_UP, ((plan, "next_step"),), _move_at_every_up
    ),
    Broken(
        "all units restart at once", Promise.ROLLING, ((restarts, "next_restart"),), _all_at_once
    ),
    Broken(
        "a rolling change waits for nobody", Promise.ROLLING, ((restarts, "unsettled"),), _nothing
    ),
    Broken(
        "a leader restarts as any other",
        Promise.LEADER,
        ((restarts, "next_restart"),),
        _leader_as_any_other,
    ),
    Broken(
        "a rolling change restarts nobody",
        Promise.REST,
        ((restarts, "next_restart"),),
        _never_restart,
    ),
    Broken(
        "what an older template has broken is never mended",
        Promise.REST,
        ((restarts, "mend"),),
        _nothing,
    ),
    Broken(
        "what has failed waits for units that join",
        Promise.REST,
        ((restarts, "mend"),),
        _wait_for_joiners,
    ),
    Broken(
        "where nobody serves nothing is mended",
        Promise.REST,
        ((restarts, "mend_unserved"),),
        _nothing,
    ),
    Broken(
        "what has failed restarts at any price",
        Promise.ROLLING,
        ((restarts, "mend"),),
        _mend_at_any_price,
    ),
    Broken(
        "a learner that runs has failed",
        Promise.ROLLING,
        ((restarts, "_comes"),),
        _nothing,
        takes_many_lives=True,
    ),
)
