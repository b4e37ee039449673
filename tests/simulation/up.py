"""One simulated `pulumi up`: handover or scale, then the rolling change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from components.change import plan, restarts
from containers.etcd.supervisor.membership import History, Member, View, observe
from tests.simulation.etcd import Etcd
from tests.simulation.pods import SEEDS, UNITS, Defect, Kubernetes, Pod
from tests.simulation.promises import Diary, Promise


class Up:
    """Works towards `count` units; `step` is one second, and it may be dropped after any."""

    def __init__(
        self,
        diary: Diary,
        etcd: Etcd,
        kubernetes: Kubernetes,
        units: Sequence[Pod],
        seeds: list[Pod],
        count: int,
    ) -> None:
        self._diary = diary
        self._etcd = etcd
        self._kubernetes = kubernetes
        self._units = units
        self._seeds = seeds
        self._goal = plan.Goal(seeds=SEEDS, units=UNITS, count=count)
        self._run = self._sequences()
        self.done = False
        self.changes = 0

    def step(self) -> None:
        next(self._run, None)

    def _sequences(self) -> Iterator[None]:
        while first := plan.bring_back(self._goal, self._workload()):
            self._take(first)
            yield
        yield from self._loop(self._balance)
        self._end_seeds()
        yield from self._loop(self._roll)
        self.done = True
        self._diary.say(f"up: done with {self._goal.count} units")

    def _loop(self, decide: Callable[[View, History], Any]) -> Iterator[None]:
        """As the product's loop: look, decide, take one step."""
        history = History()
        while True:
            self._renew_stuck()
            view, step = self._etcd.view(), None
            if view is None:
                history = History()
                step = self._mend_unserved()
            else:
                history = observe(history, view, self._diary.now, self._etcd.told(view.voters))
                step = decide(view, history)
                if isinstance(step, plan.Wait):
                    step = self._mend(view, history)
            if isinstance(step, plan.Done):
                return
            if step is not None:
                self._take(step)
            yield

    def _renew_stuck(self) -> None:
        """Delete what Kubernetes itself knows not to start, if another template came since."""
        newest = self._kubernetes.template
        for unit in self._units:
            known = unit.defect is Defect.KNOWN and unit.template != newest
            if unit.up and known and not unit.stopping:
                unit.stopping = True
                self._diary.say(f"up: {unit.name} is recreated")

    def _balance(self, view: View, history: History) -> plan.Step:
        return plan.next_step(self._goal, view, history, self._diary.now, self._workload())

    def _roll(self, view: View, history: History) -> restarts.Step:
        return restarts.next_restart(self._goal, view, history, self._diary.now, self._seen())

    def _mend(self, view: View, history: History) -> restarts.Change | None:
        return restarts.mend(self._goal, view, history, self._diary.now, self._seen())

    def _mend_unserved(self) -> restarts.Restart | None:
        ended = [u.name for u in self._units if u.up and u.disk.data and not u.etcd]
        return restarts.mend_unserved(self._seen(), ended)

    def _workload(self) -> plan.Workload:
        return plan.Workload(
            self._kubernetes.replicas,
            self._kubernetes.leaving,
            pods=frozenset(u.ordinal for u in self._units if u.up),
            serving_seeds=any(s.up and s.serving for s in self._seeds),
        )

    def _seen(self) -> list[restarts.Pod]:
        """The units' pods as Kubernetes has them."""
        return [
            restarts.Pod(
                unit.name,
                current=unit.template == self._kubernetes.template,
                ready=unit.ready and not unit.stopping,
                ending=unit.stopping,
                on_the_way=True,
            )
            for unit in self._units
            if unit.up
        ]

    def _take(self, step: plan.Change | restarts.Restart) -> None:
        self.changes += 1
        match step:
            case plan.Resize(replicas):
                self._kubernetes.replicas = replicas
                self._diary.say(f"up: {replicas} replicas")
            case plan.Announce(ordinal):
                self._kubernetes.leaving = ordinal
                self._diary.say(f"up: leaving is {ordinal}")
            case plan.StopServing():
                for seed in self._seeds:
                    seed.serving = False
            case plan.MoveLeader(_, target):
                self._etcd.move_leader(target, by="up")
            case plan.Remove(member):
                self._remove(member)
            case restarts.Restart(name):
                self._restart(next(u for u in self._units if u.name == name))

    def _remove(self, member: Member) -> None:
        what, pod, count = f"up removes {member.pod}", self._etcd.pod_of(member), self._goal.count
        seed = pod.workload == SEEDS
        self._diary.hold(Promise.PLANNED, seed or pod.ordinal >= count, what)
        if seed and self._etcd.runs(member):
            seeds, units = self._etcd.listed(SEEDS), self._etcd.listed(UNITS)
            wanted = [m for m in units if not m.learner and self._etcd.pod_of(m).ordinal < count]
            enough = len(wanted) == count >= len(seeds)
            well = enough and all(self._etcd.pod_of(m).healthy_for for m in wanted)
            self._diary.hold(Promise.TAKEN_OVER, well, f"{what}; units: {len(wanted)}")
            served = [s.name for s in self._seeds if s.up and s.serving]
            self._diary.hold(Promise.UNSERVED, not served, f"{what}; clients use {served}")
        self._etcd.remove(member, by="up")

    def _restart(self, unit: Pod) -> None:
        mine = self._etcd.member_of(unit)
        if mine is not None and not mine.learner and self._etcd.leader is not None:
            well = self._etcd.can_do(mine if not unit.healthy_for else None)
            self._diary.hold(Promise.ROLLING, well, f"{unit.name} restarts")
        if self._goal.count > 1:
            self._etcd.may_stop(unit, "restart")
        unit.stopping = True
        self._diary.say(f"up: {unit.name} restarts")

    def _end_seeds(self) -> None:
        if self._seeds:
            left = [m.pod for m in self._etcd.listed(SEEDS)]
            self._diary.hold(Promise.SEEDS_END, not left, f"members still: {left}")
        for seed in self._seeds:
            seed.end()
            seed.lose_disk()
        self._seeds.clear()
