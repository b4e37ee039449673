"""What the pods' supervisors do in a second, by the rules."""

from __future__ import annotations

import random
from dataclasses import replace

from containers.etcd.supervisor import rules, stopping
from containers.etcd.supervisor.membership import History, View, observe
from containers.etcd.supervisor.upkeep import ROUND_SECONDS
from tests.simulation.etcd import Etcd
from tests.simulation.pods import SEEDS, UNITS, Defect, Kubernetes, Pod
from tests.simulation.promises import Diary, Promise

GRACE_ENDS = 0.03
"""How probable it is, each second, that the grace period of a pod that still waits ends."""


class Supervisors:
    """Those of all pods; each acts on what it sees itself."""

    def __init__(
        self, diary: Diary, chance: random.Random, etcd: Etcd, kubernetes: Kubernetes
    ) -> None:
        self._diary = diary
        self._chance = chance
        self._etcd = etcd
        self._kubernetes = kubernetes

    def act(self, pod: Pod) -> None:
        if not pod.reachable:
            pod.history = History()  # nobody answers it
        elif pod.resting:
            pod.resting = False
        elif pod.up and pod.defect is not Defect.NONE:
            if pod.stopping and self._may_end(pod):
                self._end(pod)
        elif pod.up and pod.workload == SEEDS:
            # What has lost its disk holds, and what was removed ends by itself.
            if pod.disk.data and not pod.etcd:
                self._etcd.start_on_data(pod)
        elif pod.up:
            self._unit(pod)

    def _unit(self, unit: Pod) -> None:
        mine, now = self._etcd.member_of(unit), self._diary.now
        at_rest = unit.etcd and mine is not None and not mine.learner and not unit.stopping
        if at_rest and now - unit.looked_at < ROUND_SECONDS:
            return  # a voter looks seldom
        view = self._look(unit)
        if unit.stopping and unit.etcd:
            self._stop(unit, view)
        elif unit.stopping and self._may_end(unit):
            self._end(unit)
        elif not unit.etcd:
            self._start(unit, view)
        elif view is not None:
            self._accompany(unit, view)

    def _look(self, unit: Pod) -> View | None:
        view, now = self._etcd.view(), self._diary.now
        unit.looked_at = now
        asked = rules.of_unknown_age(view, unit.history, now, unit.peer_url) if view else []
        unit.history = observe(unit.history, view, now, self._etcd.told(asked))
        return view

    def _stop(self, unit: Pod, view: View | None) -> None:
        me, wanted = (UNITS, unit.peer_url), self._kubernetes.wanted(unit)
        step = stopping.before_stop(view, unit.history, self._diary.now, me, wanted)
        match step:
            case stopping.MoveLeader(target):
                self._etcd.move_leader(target, by=unit.name)
                return
            case stopping.Leave(member):
                why = f"{unit.name} leaves; wanted: {wanted}"
                self._diary.hold(Promise.PLANNED, wanted is False, why)
                self._etcd.remove(member, by=unit.name)
            case rules.Wait():
                if self._chance.random() > GRACE_ENDS or not self._may_end(unit):
                    return
            case stopping.Stop():
                if wanted is None and not self._may_end(unit):
                    return
                self._etcd.may_stop(unit, f"wanted: {wanted}")
        self._end(unit)

    def _may_end(self, unit: Pod) -> bool:
        """Whether it may end without having left: killed, or when Kubernetes tells it nothing. A
        quorum that was scaled away is lost for good then, whatever the rules say."""
        return self._kubernetes.returns(unit) or self._etcd.can_lose(unit)

    def _end(self, unit: Pod) -> None:
        unit.end()
        self._diary.say(f"{unit.name} stops")

    def _start(self, unit: Pod, view: View | None) -> None:
        wanted = self._kubernetes.wanted(unit)
        disk = replace(unit.disk, ended=unit.ended)
        decision = rules.unit_start(disk, view, unit.peer_url, wanted)
        match decision:
            case rules.Start():
                self._diary.hold(Promise.BIRTH, unit.disk.data, f"{unit.name} starts")
                self._etcd.start_on_data(unit)
            case rules.SetAside():
                gone = unit.disk.member_id not in self._etcd.members
                self._diary.hold(Promise.ASIDE, gone, f"{unit.name} sets its data aside")
                unit.lose_disk()
            case rules.Join() | rules.Resume() | rules.Replace():
                assert view is not None
                if rules.blocked_from(decision, view, unit.history, self._diary.now) is None:
                    self._join(unit, decision)
            case rules.Wait() | rules.Refuse():
                pass

    def _join(self, unit: Pod, step: rules.Join | rules.Resume | rules.Replace) -> None:
        wanted = self._kubernetes.wanted(unit)
        self._diary.hold(Promise.JOINING, wanted is True, f"{unit.name}: {step}")
        match step:
            case rules.Join():
                if self._etcd.member_of(unit) is None:  # else etcd refuses: the URL exists
                    self._etcd.add(unit)
            case rules.Replace(member):
                lost = not unit.disk.data and member.pod == unit.name
                self._diary.hold(Promise.PLANNED, lost, f"{unit.name} replaces {member.pod}")
                self._etcd.remove(member, by=unit.name)
            case rules.Resume(member):
                self._etcd.start(unit, member)

    def _accompany(self, unit: Pod, view: View) -> None:
        mine = view.by_peer_url(unit.peer_url)
        if mine is None:
            return
        if mine.learner:
            if rules.unready_to_vote(view, unit.history, mine, self._diary.now) is None:
                self._etcd.promote(mine)
            return
        gone = stopping.abandoned(view, unit.history, self._diary.now, UNITS, mine)
        if gone is not None and self._kubernetes.wanted(self._etcd.pod_of(gone)) is False:
            self._etcd.remove(gone, by=f"the leader's unit {unit.name}")
