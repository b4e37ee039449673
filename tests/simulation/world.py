"""One life of a cluster: what breaks at random, and how it must come to rest in the end."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.simulation.etcd import Etcd
from tests.simulation.pods import SEEDS, UNITS, Defect, Kubernetes, Pod
from tests.simulation.promises import Diary, Promise
from tests.simulation.supervisors import Supervisors
from tests.simulation.up import Up

MOST = 7
"""Units at most."""
RESTLESS_STEPS, QUIET_STEPS = 400, 400


def live(life: int, only: Promise | None = None) -> Diary:
    """Live through it. Raises BrokenPromiseError; with `only`, for no other promise."""
    world = World(Diary(life, only))
    for _ in range(RESTLESS_STEPS):
        world.step(quiet=False)
    world.come_to_rest()
    return world.diary


class World:
    """A cluster that its seeds have just formed, or a single unit; `step` is one second."""

    def __init__(self, diary: Diary) -> None:
        self.diary = diary
        self._chance = random.Random(diary.life)
        self._storm = self._chance.choice([1, 1, 4])
        """How much may break in one second."""
        self._units = [Pod(UNITS, i) for i in range(MOST)]
        formed_by = self._chance.choice([0, 1, 3, 3, 5])
        self._seeds = [Pod(SEEDS, i, serving=True) for i in range(formed_by)]
        self._pods = [*self._seeds, *self._units]
        self._count = max(formed_by, self._chance.choice([1, 3]))
        self._kubernetes = Kubernetes(replicas=self._count)
        first = self._seeds or self._units[:1]
        self._etcd = Etcd(self.diary, self._pods, first)
        self._supervisors = Supervisors(self.diary, self._chance, self._etcd, self._kubernetes)
        self._up: Up | None = self._pulumi_up()

    def _pulumi_up(self) -> Up:
        return Up(self.diary, self._etcd, self._kubernetes, self._units, self._seeds, self._count)

    # ------------------------------------------------------------ one second

    def step(self, *, quiet: bool) -> None:
        """Something may break unless `quiet`; then everybody does what the rules say."""
        self.diary.now += 1
        for _ in range(0 if quiet else self._storm):
            self._break_something()
        self._make_and_end_pods()
        self._etcd.elect()
        self._etcd.write()
        pods = [*self._seeds, *self._units]
        for pod in self._chance.sample(pods, len(pods)):
            self._supervisors.act(pod)
            self._etcd.elect()
        if self._up is not None and self._kubernetes.answers:
            self._up.step()
            if self._up.done:
                self._up = None
        self._etcd.note_health()

    def _make_and_end_pods(self) -> None:
        """Units' pods come and go with the replica count; a seed's is held until an `up` lets it
        start, on the disk that it had."""
        for pod in self._units:
            if self._kubernetes.returns(pod):
                if not pod.up and self._chance.random() < 0.3:
                    pod.come(self._kubernetes.template, self._kubernetes.defect)
                    self.diary.say(f"{pod.name} starts")
            elif pod.up and not pod.stopping:
                pod.stopping = True
                self.diary.say(f"{pod.name} is told to stop")
        for seed in self._seeds:
            if not seed.up and seed.disk.data and self._up and self._kubernetes.answers:
                seed.come(template=0)
                seed.serving = True
                self.diary.say(f"{seed.name} starts")

    # ------------------------------------------------------------ what breaks

    def _break_something(self) -> None:
        pod = self._chance.choice([*self._seeds, *self._units])
        event = self._chance.random()
        if event < 0.02 and pod.up:
            self._kill(pod)
        elif event < 0.025 and pod in self._units and pod.up:
            pod.stopping = True
            self.diary.say(f"{pod.name} is deleted")
        elif event < 0.03 and pod.etcd:
            pod.end_etcd()
            self.diary.say(f"etcd of {pod.name} is killed")
        elif event < 0.04:
            self._lose_disk(pod)
        elif event < 0.05:
            pod.reachable = not pod.reachable
            self.diary.say(f"{pod.name} is {'' if pod.reachable else 'not '}reached")
        elif event < 0.06:
            self._kubernetes.answers = not self._kubernetes.answers
        elif event < 0.065:
            self._count = self._chance.choice([1, 3, 5, 7])
            self._up = self._pulumi_up()
            self.diary.say(f"pulumi up: {self._count} units")
        elif event < 0.069:
            self._change_template(self._chance.choice([Defect.NONE, *Defect]))
            self._up = self._pulumi_up()
        elif event < 0.079:
            # Cut off anywhere; and run again at some time.
            self._up = None if self._up is not None else self._pulumi_up()
        elif event < 0.082:
            self._scale_by_hand()
        elif event < 0.087 and pod.etcd:
            # Somebody at a peer's address took its message for one to another member.
            pod.end_etcd()
            pod.ended = True
            self.diary.say(f"etcd of {pod.name} ends with 0")

    def _change_template(self, defect: Defect) -> None:
        self._kubernetes.template += 1
        self._kubernetes.defect = defect
        self.diary.say(f"template {self._kubernetes.template}, defect: {defect.value}")

    def _kill(self, pod: Pod) -> None:
        """Of those that are scaled away not so many that their quorum is lost for good."""
        if self._kubernetes.returns(pod) or self._etcd.can_lose(pod):
            pod.end()
            self.diary.say(f"{pod.name} is killed")

    def _scale_by_hand(self) -> None:
        """Who scales half of a sick cluster away loses its quorum, whatever the rules say."""
        voters = [self._etcd.pod_of(m) for m in self._etcd.voters]
        if self._kubernetes.answers and all(pod.healthy_for for pod in voters):
            replicas = self._kubernetes.replicas + self._chance.choice([-1, 1])
            self._kubernetes.replicas = min(max(replicas, 1), MOST)
            self.diary.say(f"scaled by hand: {self._kubernetes.replicas} replicas")

    def _lose_disk(self, pod: Pod) -> None:
        """One at a time: a majority's disks at once are lost for good, whatever the rules say."""
        others = [p for p in map(self._etcd.pod_of, self._etcd.voters) if p is not pod]
        whole = all(p.disk.data and (p.up or self._kubernetes.returns(p)) for p in others)
        if len(others) >= 2 and whole:
            pod.end()
            pod.lose_disk()
            self.diary.say(f"{pod.name} loses its disk")

    # ------------------------------------------------------------ in the end

    def come_to_rest(self) -> None:
        """Nothing breaks any more: an `up` must end well, and one after it must do nothing."""
        self._kubernetes.answers = True
        for pod in self._pods:
            pod.reachable = True
        if self._kubernetes.defect is not Defect.NONE:
            self._change_template(Defect.NONE)
        if not self._seeds and self._all_start() and self._chance.random() < 0.5:
            self._up = None
            self._pass(self._is_as_kubernetes_wants)
            self._scale_by_hand()
            for unit in self._units:
                if unit.up and not self._kubernetes.returns(unit):
                    self._kill(unit)  # without having left
            self._pass(self._is_as_kubernetes_wants)
            # By hand so many may have been scaled away that an `up` must bring them back.
            kept = self._is_as_kubernetes_wants() or self._etcd.leader is None
            self.diary.hold(Promise.ALONE, kept, self._state())
        # The config refuses fewer units than seeds.
        self._count = max(self._count, len(self._seeds))
        self._finish_an_up()
        self.diary.hold(Promise.REST, self._is_balanced(), self._state())
        changes, up = self._etcd.changes, self._finish_an_up()
        same = up.changes == 0 and self._etcd.changes == changes
        self.diary.hold(Promise.SECOND_UP, same, f"{up.changes} steps; {self._state()}")

    def _finish_an_up(self) -> Up:
        self._up = up = self._pulumi_up()
        self._pass(lambda: up.done)
        self.diary.hold(Promise.REST, up.done, f"`up` is not done: {self._state()}")
        return up

    def _pass(self, until: Callable[[], bool]) -> None:
        """Let quiet seconds pass, but not for ever."""
        for _ in range(QUIET_STEPS):
            if until():
                return
            self.step(quiet=True)

    def _all_start(self) -> bool:
        return all(pod.defect is Defect.NONE for pod in self._units)

    def _voting(self) -> list[Pod]:
        return [self._etcd.pod_of(m) for m in self._etcd.voters if self._etcd.runs(m)]

    def _is_balanced(self) -> bool:
        voting = self._voting()
        return (
            sorted(pod.ordinal for pod in voting) == list(range(self._count))
            and len(self._etcd.members) == self._count
            and all(pod.template == self._kubernetes.template for pod in voting)
        )

    def _is_as_kubernetes_wants(self) -> bool:
        """One that was announced as leaving may still be a member: that is left to an `up`."""
        leaving = self._kubernetes.leaving
        stay = [p.ordinal for p in map(self._etcd.pod_of, self._etcd.members.values())]
        vote = [p.ordinal for p in self._voting()]
        wanted = [u.ordinal for u in self._units if self._kubernetes.wanted(u)]
        return sorted(set(vote) - {leaving}) == sorted(set(stay) - {leaving}) == wanted

    def _state(self) -> str:
        members = self._etcd.members.values()
        listed = [f"{m.pod}{' learner' if m.learner else ''}" for m in members]
        up = [f"{p.name} ({p.template}, defect: {p.defect.value})" for p in self._pods if p.up]
        return (
            f"wanted {self._count} of template {self._kubernetes.template}, "
            f"replicas {self._kubernetes.replicas}, members {listed}, pods {up}"
        )
