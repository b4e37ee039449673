"""etcd in memory: members, leader and log, and the promises at every change of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from containers.etcd.supervisor.membership import Member, Status, View
from containers.etcd.supervisor.rules import SETTLE_SECONDS, Disk
from tests.simulation.pods import Pod
from tests.simulation.promises import Diary, Promise
from tests.support.views import CLUSTER

LAG_SECONDS = 2
"""An observer that looks once a second knows of health this much later than it is so."""

CATCH_UP = 5
"""Writes that a member which was away gets in one second."""


class Etcd:
    """One cluster. What it is asked to do it does, if that keeps the promises."""

    def __init__(self, diary: Diary, pods: Iterable[Pod], first: Iterable[Pod]) -> None:
        self._diary = diary
        self._pods = {pod.peer_url: pod for pod in pods}
        self._next_id = 1
        self._have_run: set[int] = set()
        self.members: dict[int, Member] = {}
        self.leader: int | None = None
        self.acknowledged = 0
        """The last write that a client was told to be safe."""
        self.changes = 0
        """Of the membership and the leader by anybody's will."""
        for pod in first:
            pod.up = True
            self.start(pod, replace(self._enlist(pod), learner=False))

    # ------------------------------------------------------------ what is so

    def pod_of(self, member: Member) -> Pod:
        return self._pods[member.peer_url]

    def member_of(self, pod: Pod) -> Member | None:
        return next((m for m in self.members.values() if m.peer_url == pod.peer_url), None)

    def runs(self, member: Member) -> bool:
        """Whether this member's etcd runs, with its own disk, and is reached."""
        pod = self.pod_of(member)
        return pod.up and pod.etcd and pod.reachable and pod.disk.member_id == member.id

    @property
    def voters(self) -> list[Member]:
        return [m for m in self.members.values() if not m.learner]

    def listed(self, workload: str) -> list[Member]:
        return [m for m in self.members.values() if self.pod_of(m).workload == workload]

    def view(self) -> View | None:
        """What a linearizable list and the statuses say; None without a leader."""
        if self.leader is None:
            return None
        statuses = {
            m.id: Status(
                member_id=m.id,
                cluster_id=CLUSTER,
                leader_id=self.leader,
                revision=self.acknowledged,
                raft_index=self.acknowledged,
                applied_index=self.pod_of(m).log,
                raft_term=1,
                version="3.6.14",
            )
            for m in self.members.values()
            if self.runs(m)
        }
        listed = sorted(self.members.values(), key=lambda m: m.peer_url)
        return View(CLUSTER, tuple(listed), statuses)

    def told(self, voters: Iterable[Member]) -> dict[int, float]:
        """For how long each of them has been ready, as its supervisor and Kubernetes say."""
        return {m.id: float(self.pod_of(m).healthy_for) for m in voters}

    def can_do(self, dead: Member | None = None) -> bool:
        """Whether every voter has really been well; without a dead one, whether a quorum has."""
        enough = SETTLE_SECONDS - LAG_SECONDS
        well = [m for m in self.voters if m != dead and self.pod_of(m).healthy_for >= enough]
        return len(well) > len(self.voters) // 2 if dead else len(well) == len(self.voters)

    def can_lose(self, pod: Pod) -> bool:
        """Whether the voters that are there without it are a quorum."""
        there = [p for p in map(self.pod_of, self.voters) if p.up and p.disk.data and p is not pod]
        return len(there) > len(self.voters) // 2

    # ------------------------------------------------------------ one second

    def elect(self) -> None:
        """Whoever has most of the log leads, if a quorum runs and nobody does."""
        running = [m for m in self.voters if self.runs(m)]
        if len(running) <= len(self.voters) // 2:
            self.leader = None
        elif self.leader not in {m.id for m in running}:
            best = max(running, key=lambda m: self.pod_of(m).log)
            newest = self.pod_of(best).log
            kept = newest == self.acknowledged
            self._diary.hold(Promise.WRITES, kept, f"{best.pod} leads with {newest}")
            self.leader = best.id

    def write(self) -> None:
        """Members catch up; a client's write is acknowledged once a quorum of voters has it."""
        if self.leader is None:
            return
        running = [self.pod_of(m) for m in self.members.values() if self.runs(m)]
        for pod in running:
            pod.log = min(self.acknowledged, pod.log + CATCH_UP)
        abreast = [pod for pod in running if pod.log == self.acknowledged]
        if sum(self.pod_of(m) in abreast for m in self.voters) > len(self.voters) // 2:
            self.acknowledged += 1
            for pod in abreast:
                pod.log = self.acknowledged

    def note_health(self) -> None:
        well = {m.peer_url for m in self.members.values() if self.leader and self.runs(m)}
        voters = {m.peer_url for m in self.voters}
        for pod in self._pods.values():
            is_well = pod.peer_url in well and pod.log == self.acknowledged
            pod.note_health(is_well, votes=pod.peer_url in voters)

    # ------------------------------------------------------------ changes

    def add(self, pod: Pod) -> None:
        self._settled(f"{pod.name} is added")
        member = self._enlist(pod)
        self._diary.say(f"{pod.name} added as learner {member.id}")

    def start(self, pod: Pod, member: Member) -> None:
        """Run etcd on an empty disk under an ID that is listed."""
        fresh = member.id not in self._have_run
        self._diary.hold(Promise.NEW_ID, fresh, f"{pod.name}: ID {member.id}, empty disk")
        self._have_run.add(member.id)
        self.members[member.id] = replace(member, name=pod.name, client_url=pod.peer_url)
        pod.disk = Disk(data=True, cluster_id=CLUSTER, member_id=member.id)
        pod.etcd = True
        self._diary.say(f"{pod.name} runs as {member.id}")

    def start_on_data(self, pod: Pod) -> None:
        """Run etcd on the data that is there. It ends by itself where its ID was removed."""
        pod.etcd = pod.disk.member_id in self.members
        pod.ended = not pod.etcd

    def promote(self, member: Member) -> None:
        self._settled(f"{member.pod} is promoted")
        log = self.pod_of(member).log
        caught_up = log >= self.acknowledged - LAG_SECONDS
        self._diary.hold(Promise.CAUGHT_UP, caught_up, f"{member.pod} has {log}")
        self.members[member.id] = replace(member, learner=False)
        self._diary.say(f"{member.pod} promoted")

    def remove(self, member: Member, by: str) -> None:
        what = f"{by} removes {member.pod}"
        self.changes += 1
        if not member.learner:
            self._settled(what, None if self.runs(member) else member)
            self._diary.hold(Promise.LEADER, self.leader != member.id, what)
        del self.members[member.id]
        pod = self.pod_of(member)
        if pod.etcd and pod.disk.member_id == member.id:
            pod.etcd, pod.ended = False, True
        self._diary.say(f"{member.pod} ({member.id}) removed by {by}")

    def move_leader(self, target: Member, by: str) -> None:
        """The target gets what it lacks before it leads. etcd refuses one that does not vote."""
        if target.learner or not self.runs(target):
            return
        self.changes += 1
        self.pod_of(target).log = self.acknowledged
        self.leader = target.id
        self._diary.say(f"{by} moves the leader to {target.pod}")

    def may_stop(self, pod: Pod, why: str) -> None:
        """Hold the promise about leaders for a pod that is stopped on purpose."""
        mine = self.member_of(pod)
        others = [m for m in self.voters if m != mine and self.runs(m)]
        leads = mine is not None and mine.id == self.leader
        self._diary.hold(Promise.LEADER, not (leads and others), f"{pod.name} stops: {why}")

    def _enlist(self, pod: Pod) -> Member:
        """A learner that has not run. Its ID is noted on its disk before anything else."""
        member = Member(self._next_id, "", pod.peer_url, None, learner=True)
        self._next_id += 1
        self.changes += 1
        self.members[member.id] = member
        pod.disk = Disk(data=False, cluster_id=CLUSTER, member_id=member.id)
        return member

    def _settled(self, what: str, dead: Member | None = None) -> None:
        weak = [m.pod for m in self.voters if self.pod_of(m).healthy_for < SETTLE_SECONDS]
        self._diary.hold(Promise.SETTLED, self.can_do(dead), f"{what}; not well: {weak}")
