"""A cluster in memory that lives by the product's own rules, while things break at random.

Time goes in steps of one second. What is simulated is etcd and Kubernetes, as far as the rules see
them; what decides is the real code: `rules`, `stopping` and `plan`. A broken promise raises
AssertionError with the seed and the last events.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from components.dynamic import plan
from containers.etcd.supervisor import rules, stopping
from containers.etcd.supervisor.membership import History, Member, Status, View, observe
from tests.support.views import CLUSTER, url

MOST = 7
"""Units at most."""

LAG_SECONDS = 2
"""An observer that looks once a second knows of health this much later than it is so."""


@dataclass
class Unit:
    """A pod, its process and its disk."""

    ordinal: int
    up: bool = False
    etcd: bool = False
    reachable: bool = True
    stopping: bool = False
    disk: rules.Disk = field(default_factory=lambda: rules.Disk(data=False))
    log: int = 0
    """The last write on its disk."""
    history: History = field(default_factory=History)
    healthy_for: int = 0
    """Steps of real health, whatever anybody has seen."""

    @property
    def pod(self) -> str:
        return f"etcd-{self.ordinal}"

    @property
    def peer_url(self) -> str:
        return url(self.pod)


class World:
    """One cluster and one sequence; `step` is one second."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now = 0.0
        self.units = [Unit(i) for i in range(MOST)]
        self.members: dict[int, Member] = {}
        self.started_ids: set[int] = set()
        self.next_id = 1
        self.acknowledged = 0
        self.leader: int | None = None
        self.replicas = self.count = 1
        self.leaving: int | None = None
        self.api = True
        self.sequence: History | None = None
        self.events: deque[str] = deque(maxlen=40)
        first = self.units[0]
        self._enlist(first, learner=False)
        first.up = first.etcd = True
        first.disk = rules.Disk(data=True, cluster_id=CLUSTER, member_id=1)

    # ------------------------------------------------------------ what is so

    def say(self, text: str) -> None:
        self.events.append(f"{self.now:.0f} s  {text}")

    def hold(self, promise: bool, text: str) -> None:
        assert promise, "\n".join([f"seed {self.seed}: {text}", *self.events])

    def unit_of(self, member: Member) -> Unit:
        return self.units[member.ordinal_in("etcd") or 0]

    def runs(self, member: Member) -> bool:
        """Whether this member's etcd runs, with its own disk, and is reached."""
        unit = self.unit_of(member)
        return unit.up and unit.etcd and unit.reachable and unit.disk.member_id == member.id

    @property
    def voters(self) -> list[Member]:
        return [m for m in self.members.values() if not m.learner]

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
                applied_index=self.unit_of(m).log,
                raft_term=1,
                version="3.6.14",
            )
            for m in self.members.values()
            if self.runs(m)
        }
        listed = sorted(self.members.values(), key=lambda m: m.peer_url)
        return View(CLUSTER, tuple(listed), statuses)

    def wanted(self, unit: Unit) -> bool | None:
        if not self.api:
            return None
        return unit.ordinal < self.replicas and unit.ordinal != self.leaving

    # ------------------------------------------------------------ the membership

    def _enlist(self, unit: Unit, *, learner: bool) -> Member:
        member = Member(self.next_id, "", unit.peer_url, None, learner)
        if not learner:
            member = Member(self.next_id, unit.pod, unit.peer_url, unit.peer_url, False)
            self.started_ids.add(member.id)
        self.members[member.id] = member
        self.next_id += 1
        return member

    def _judge_change(self, what: str, dead: Member | None = None) -> None:
        """Every voter has really been well; a dead one goes if a quorum without it has been."""
        enough = rules.SETTLE_SECONDS - LAG_SECONDS
        young = [m for m in self.voters if self.unit_of(m).healthy_for < enough and m != dead]
        well = len(self.voters) - len(young) - (dead is not None)
        allowed = well > len(self.voters) // 2 if dead else not young
        self.hold(allowed, f"{what} while {[m.pod for m in young]} are not well")

    def add(self, unit: Unit) -> None:
        self._judge_change(f"{unit.pod} is added")
        member = self._enlist(unit, learner=True)
        unit.disk = rules.Disk(data=False, cluster_id=CLUSTER, member_id=member.id)
        self.say(f"{unit.pod} added as learner {member.id}")

    def promote(self, unit: Unit, member: Member) -> None:
        self._judge_change(f"{unit.pod} is promoted")
        self.hold(unit.log >= self.acknowledged - LAG_SECONDS, f"{unit.pod} lags and is promoted")
        self.members[member.id] = Member(
            member.id, unit.pod, unit.peer_url, unit.peer_url, learner=False
        )
        self.say(f"{unit.pod} promoted")

    def remove(self, member: Member, by: str) -> None:
        unit = self.unit_of(member)
        if not member.learner:
            dead = None if self.runs(member) else member
            self._judge_change(f"{by} removes {member.pod}", dead)
            left = [m for m in self.voters if m != member]
            running = [m for m in left if self.runs(m)]
            self.hold(len(running) > len(left) // 2, f"{by} removes {member.pod}: no quorum left")
            self.hold(self.leader != member.id, f"{by} removes {member.pod}, which leads")
        del self.members[member.id]
        if unit.etcd and unit.disk.member_id == member.id:
            unit.etcd = False
        self.say(f"{member.pod} ({member.id}) removed by {by}")

    # ------------------------------------------------------------ one second

    def step(self, *, quiet: bool) -> None:
        """Something may break unless `quiet`; then everybody does what the rules say."""
        self.now += 1
        if not quiet:
            self._break_something()
        self._kubernetes()
        self._elect_and_write()
        for unit in self.random.sample(self.units, MOST):
            if not unit.reachable:
                unit.history = History()  # nobody answers it
            elif unit.up:
                self._act(unit)
                self._elect_and_write(write=False)
        if self.sequence is not None and self.api:
            self._sequence()
        self._note_health()

    def _elect_and_write(self, *, write: bool = True) -> None:
        running = [m for m in self.voters if self.runs(m)]
        if len(running) <= len(self.voters) // 2:
            self.leader = None
            return
        if self.leader not in {m.id for m in running}:
            best = max(running, key=lambda m: self.unit_of(m).log)
            newest = self.unit_of(best).log
            self.hold(newest == self.acknowledged, "an acknowledged write is lost")
            self.leader = best.id
        if write:
            self.acknowledged += 1
            for member in self.members.values():
                if self.runs(member):
                    self.unit_of(member).log = self.acknowledged

    def _note_health(self) -> None:
        for unit in self.units:
            mine = next((m for m in self.members.values() if m.peer_url == unit.peer_url), None)
            well = mine is not None and self.leader is not None and self.runs(mine)
            unit.healthy_for = unit.healthy_for + 1 if well else 0

    def _kubernetes(self) -> None:
        """Pods come and go with the replica count."""
        for unit in self.units:
            if unit.ordinal < self.replicas:
                if not unit.up and self.random.random() < 0.3:
                    unit.up, unit.stopping, unit.history = True, False, History()
                    self.say(f"{unit.pod} starts")
            elif unit.up and not unit.stopping:
                unit.stopping = True
                self.say(f"{unit.pod} is told to stop")

    def _act(self, unit: Unit) -> None:
        view = self.view()
        if view is not None:
            told = {m.id: float(self.unit_of(m).healthy_for) for m in view.voters}
            unit.history = observe(unit.history, view, self.now, told)
        else:
            unit.history = History()
        if unit.stopping:
            self._stop(unit, view)
        elif not unit.etcd:
            self._start(unit, view)
        elif view is not None:
            self._accompany(unit, view)

    def _stop(self, unit: Unit, view: View | None) -> None:
        me = ("etcd", unit.peer_url)
        step = stopping.before_stop(view, unit.history, self.now, me, self.wanted(unit))
        match step:
            case stopping.MoveLeader(target):
                self.leader = target.id
                self.say(f"{unit.pod} hands over to {target.pod}")
                return
            case stopping.Leave(member):
                self.remove(member, by=unit.pod)
            case stopping.Wait():
                if self.random.random() > 0.03:  # its grace period ends at last
                    return
            case stopping.Stop():
                pass
        unit.up = unit.etcd = unit.stopping = False
        self.say(f"{unit.pod} stops")

    def _start(self, unit: Unit, view: View | None) -> None:
        decision = rules.unit_start(unit.disk, view, unit.peer_url, self.wanted(unit))
        match decision:
            case rules.Start():
                self._run_on_data(unit)
            case rules.SetAside():
                unit.disk, unit.log = rules.Disk(data=False), 0
            case rules.Join() | rules.Resume() | rules.Replace():
                assert view is not None
                if rules.blocked_from(decision, view, unit.history, self.now) is None:
                    self._join(unit, decision)
            case _:
                pass

    def _run_on_data(self, unit: Unit) -> None:
        """etcd starts on its data, and ends by itself where its ID was removed."""
        if unit.disk.member_id in self.members or self.leader is None:
            unit.etcd = unit.disk.member_id in self.members
        else:
            unit.disk = rules.Disk(True, CLUSTER, unit.disk.member_id, removed=True)

    def _join(self, unit: Unit, step: rules.Join | rules.Resume | rules.Replace) -> None:
        match step:
            case rules.Join():
                self.add(unit)
            case rules.Replace(member):
                self.remove(member, by=unit.pod)
            case rules.Resume(member):
                self.hold(member.id not in self.started_ids, f"{unit.pod}: old ID, empty disk")
                self.started_ids.add(member.id)
                self.members[member.id] = Member(
                    member.id, unit.pod, unit.peer_url, unit.peer_url, member.learner
                )
                unit.disk = rules.Disk(True, CLUSTER, member.id)
                unit.etcd = True
                self.say(f"{unit.pod} runs as {member.id}")

    def _accompany(self, unit: Unit, view: View) -> None:
        mine = view.by_peer_url(unit.peer_url)
        if mine is None:
            return
        if mine.learner:
            if rules.unready_to_vote(view, unit.history, mine, self.now) is None:
                self.promote(unit, mine)
            return
        gone = stopping.abandoned(view, unit.history, self.now, "etcd", mine)
        if gone is not None and self.wanted(self.unit_of(gone)) is False:
            self.remove(gone, by=f"the leader's unit {unit.pod}")

    # ------------------------------------------------------------ the sequence

    def _sequence(self) -> None:
        view = self.view()
        goal = plan.Goal(seeds="etcd-seed", units="etcd", count=self.count)
        pods = frozenset(u.ordinal for u in self.units if u.up)
        workload = plan.Workload(self.replicas, self.leaving, pods, serving_seeds=False)
        if view is None or self.sequence is None:
            self.sequence = History()
            first = plan.bring_back(goal, workload)
            if isinstance(first, plan.Resize):
                self.replicas = first.replicas
            return
        told = {m.id: float(self.unit_of(m).healthy_for) for m in view.voters}
        self.sequence = observe(self.sequence, view, self.now, told)
        match plan.next_step(goal, view, self.sequence, self.now, workload):
            case plan.Resize(replicas):
                self.replicas = replicas
                self.say(f"sequence: {replicas} replicas")
            case plan.Announce(ordinal):
                self.leaving = ordinal
            case plan.MoveLeader(_, target):
                self.leader = target.id
                self.say(f"sequence: leader moved to {target.pod}")
            case plan.Remove(member):
                self.hold((member.ordinal_in("etcd") or 0) >= self.count, f"{member.pod} is wanted")
                self.remove(member, by="the sequence")
            case plan.Done():
                self.sequence = None
                self.say(f"sequence: done with {self.count}")
            case _:
                pass

    # ------------------------------------------------------------ what breaks

    def _break_something(self) -> None:
        unit = self.random.choice(self.units)
        event = self.random.random()
        if event < 0.02 and unit.up:
            unit.up = unit.etcd = unit.stopping = False
            self.say(f"{unit.pod} is killed")
        elif event < 0.03 and unit.etcd:
            unit.etcd = False
            self.say(f"etcd of {unit.pod} is killed")
        elif event < 0.04:
            self._lose_disk(unit)
        elif event < 0.05:
            unit.reachable = not unit.reachable
            self.say(f"{unit.pod} is {'' if unit.reachable else 'not '}reached")
        elif event < 0.06:
            self.api = not self.api
        elif event < 0.065:
            self.count = self.random.choice([1, 3, 5, 7])
            self.sequence = History()
            self.say(f"pulumi up: {self.count} units")
        elif event < 0.075:
            # Cut off anywhere; and run again at some time.
            self.sequence = None if self.sequence is not None else History()
        elif event < 0.078 and self.api and all(self.unit_of(m).healthy_for for m in self.voters):
            # Who scales half of a sick cluster away by hand loses its quorum, whatever the rules.
            self.replicas = min(max(self.replicas + self.random.choice([-1, 1]), 1), MOST)
            self.say(f"scaled by hand: {self.replicas} replicas")

    def _lose_disk(self, unit: Unit) -> None:
        """One at a time: a majority's disks at once are lost for good, whatever the rules say."""
        others = [m for m in self.voters if self.unit_of(m) is not unit]
        whole = all(self.unit_of(m).log == self.acknowledged for m in others)
        if len(others) >= 2 and whole and all(self.unit_of(m).disk.data for m in others):
            unit.up = unit.etcd = unit.stopping = False
            unit.disk, unit.log = rules.Disk(data=False), 0
            self.say(f"{unit.pod} loses its disk")

    # ------------------------------------------------------------ in the end

    def settle(self, steps: int) -> None:
        """Nothing breaks any more: within `steps`, exactly the wanted units must vote."""
        self.api, self.sequence = True, History()
        for unit in self.units:
            unit.reachable = True
        for _ in range(steps):
            self.step(quiet=True)
            if self.is_balanced():
                return
        self.hold(False, f"not balanced after {steps} quiet seconds: {self._state()}")

    def is_balanced(self) -> bool:
        pods = {m.pod for m in self.members.values() if not m.learner and self.runs(m)}
        return len(pods) == len(self.members) and pods == {f"etcd-{i}" for i in range(self.count)}

    def _state(self) -> str:
        listed = [f"{m.pod}{' learner' if m.learner else ''}" for m in self.members.values()]
        up = [u.pod for u in self.units if u.up]
        return f"wanted {self.count}, replicas {self.replicas}, members {listed}, pods {up}"
