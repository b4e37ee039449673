"""What a scale or a rolling change will do, member by member, before any of it is done. Pure.

The steps are not written down a second time: the decision functions themselves are asked, over a
model of the cluster in which every step takes effect at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from components.change import plan, restarts
from components.change.plan import Goal, Workload
from components.progress import SequenceError
from containers.etcd.supervisor.membership import History, Member, Status, View

NOW = 0.0
LONG_AGO = -3600.0


@dataclass(frozen=True)
class Stage:
    """The cluster after one step, or while a unit restarts."""

    what: str
    voters: int
    serving: int
    """Voters that answer."""

    @property
    def quorum(self) -> int:
        return self.voters // 2 + 1

    @property
    def tolerance(self) -> int:
        """Voters that may fail before writes stop; below 0: writes stop without a failure."""
        return self.serving - self.quorum

    def __str__(self) -> str:
        serve = "" if self.serving == self.voters else f", {self.serving} of them serve"
        return (
            f"{self.what}: {self.voters} voters{serve}, quorum {self.quorum}, "
            f"tolerance {self.tolerance}"
        )


def too_low(first: Stage, stages: Sequence[Stage], least: int) -> Stage | None:
    """The first step of a plan that lowers the tolerance below `least`.

    What is below already may stay so on the way: more units are how it gets better.
    """
    for before, stage in pairwise([first, *stages]):
        if stage.tolerance < min(least, before.tolerance):
            return stage
    return None


def require(first: Stage, stages: Sequence[Stage], least: int) -> None:
    """Raise SequenceError for a plan that lowers the tolerance below `least`."""
    found = too_low(first, stages, least)
    if found:
        raise SequenceError(
            f"refused: {found}; etcd:units.minTolerance is {least}",
            f"pulumi config set --path etcd:units.minTolerance {found.tolerance}, "
            "or more units first",
        )


@dataclass
class Forecast:
    """A model of the cluster, and what was done to it so far."""

    goal: Goal
    view: View
    workload: Workload
    pods: Sequence[restarts.Pod] = ()
    """The units' pods, for a rolling change. One that is not told of is ready, and restarts."""
    stages: list[Stage] = field(default_factory=list[Stage])

    @property
    def now(self) -> Stage:
        """How the cluster is at the point that the forecast has reached."""
        leader = self.view.leader
        return self._stage(f"{leader.pod} leads" if leader else "no leader")

    def scale(self) -> Forecast:
        """Run the plan of the scale to its end."""
        while True:
            step = plan.next_step(self.goal, self.view, _health(self.view), NOW, self.workload)
            match step:
                case plan.Done():
                    return self
                case plan.StopServing():
                    self.workload = replace(self.workload, serving_seeds=False)
                case plan.Announce(ordinal):
                    stays = self.workload.leaving
                    self.workload = replace(self.workload, leaving=ordinal)
                    if ordinal is None and stays is not None and stays < self.goal.count:
                        self._note(f"{self.goal.units}-{stays}, which was told to leave, stays")
                case plan.Resize(replicas):
                    pods = frozenset(range(replicas))
                    self.workload = replace(self.workload, replicas=replicas, pods=pods)
                case plan.MoveLeader(leader, target):
                    self._lead(leader, target)
                case plan.Remove(member):
                    self._keep([m for m in self.view.members if m != member])
                    self._note(f"{member.pod} leaves")
                case plan.Wait(reason):
                    if not self._wait(reason):
                        return self

    def restart(self) -> Forecast:
        """Run the rolling change of every unit that is not of the newest template to its end."""
        pods = {name: restarts.Pod(name, current=False, ready=True) for name in self.goal.pods}
        pods |= {pod.name: pod for pod in self.pods if pod.name in pods}
        while True:
            there = list(pods.values())
            situation = (self.goal, self.view, _health(self.view), NOW, there)
            step = restarts.mend(*situation) or restarts.next_restart(*situation)
            match step:
                case plan.Done():
                    return self
                case plan.MoveLeader(leader, target):
                    self._lead(leader, target)
                case restarts.Restart(pod):
                    self._restart(pods[pod])
                    pods[pod] = restarts.Pod(pod, current=True, ready=True)
                case plan.Wait(reason):
                    away = [pod for pod in pods.values() if not pod.ready]
                    for pod in away:
                        new = pod.current or pod.ending
                        pods[pod.name] = restarts.Pod(pod.name, current=new, ready=True)
                    self._come_back(away)
                    if away:
                        self._note(f"waits ({reason})")
                    elif not self._wait(reason):
                        return self

    def _wait(self, reason: str) -> bool:
        """Let that happen what the plan waits for; False if nothing can be foretold."""
        silent = [m for m in self.view.voters if m.id not in self.view.statuses]
        if silent and self.view.leader:
            self._answer(silent)
            self._note(f"waits until all voters are healthy ({reason})")
            return True
        voters = {m.pod for m in self.view.voters}
        joining = [pod for pod in self.goal.pods if pod not in voters]
        if not joining or self.view.leader is None:
            self._note(f"waits ({reason})")
            return False
        self._join(joining[0])
        return True

    def _restart(self, pod: restarts.Pod) -> None:
        """It is missed while it restarts, if it is not missed before."""
        serves = any(m.pod == pod.name and m.id in self.view.statuses for m in self.view.voters)
        stage = self._stage(f"{pod.name} restarts")
        self.stages.append(replace(stage, serving=stage.serving - serves))
        if not pod.ready:
            self._come_back([pod])
            self._note(f"{pod.name} is back")

    def _come_back(self, pods: Sequence[restarts.Pod]) -> None:
        """The members of these pods answer again, if there is a leader whom they could follow."""
        names = {pod.name for pod in pods}
        silent = [m for m in self.view.voters if m.id not in self.view.statuses]
        if self.view.leader is not None:
            self._answer([m for m in silent if m.pod in names])

    def _join(self, pod: str) -> None:
        """A unit comes as a learner, if it is none yet, and is promoted."""
        known = next((m for m in self.view.learners if m.pod == pod), None)
        others = [m for m in self.view.members if m != known]
        example = self.view.voters[0]
        voter = Member(
            id=known.id if known else max(m.id for m in self.view.members) + 1,
            name=pod,
            peer_url=example.peer_url.replace(example.pod, pod, 1),
            client_url=(example.client_url or "").replace(example.pod, pod, 1),
            learner=False,
        )
        self._keep([*others, voter])
        self._answer([voter])
        self._note(f"{pod} {'is' if known else 'joins as a learner, is'} promoted")

    def _lead(self, leader: Member, target: Member) -> None:
        statuses = {i: replace(s, leader_id=target.id) for i, s in self.view.statuses.items()}
        self.view = replace(self.view, statuses=statuses)
        self._note(f"leadership moves from {leader.pod} to {target.pod}")

    def _keep(self, members: Sequence[Member]) -> None:
        ids = {m.id for m in members}
        statuses = {i: s for i, s in self.view.statuses.items() if i in ids}
        self.view = replace(self.view, members=tuple(members), statuses=statuses)

    def _answer(self, members: Sequence[Member]) -> None:
        leader = self.view.leader
        assert leader is not None, "asked for by the callers"
        like: Status = self.view.statuses[leader.id]
        told = {m.id: replace(like, member_id=m.id, errors=()) for m in members}
        self.view = replace(self.view, statuses={**self.view.statuses, **told})

    def _note(self, what: str) -> None:
        self.stages.append(self._stage(what))

    def _stage(self, what: str) -> Stage:
        voters = self.view.voters
        return Stage(what, len(voters), sum(m.id in self.view.statuses for m in voters))


def _health(view: View) -> History:
    """As if everything had been for a long time as it is now."""
    return History(
        healthy_since={m.id: LONG_AGO for m in view.members if m.id in view.statuses},
        sick_since={m.id: LONG_AGO for m in view.members if m.id not in view.statuses},
        leader_index=view.leader_index,
    )
