"""A unit: joins the running cluster through the Service as a learner and promotes itself.

It never bootstraps, and knows nothing of discovery.
"""

from __future__ import annotations

import time
from threading import Event

from . import flags, kubernetes, metrics, rules, stuck
from .config import Config
from .disk import Volume
from .etcdctl import (
    EtcdctlError,
    add_learner,
    promote,
    read_birth,
    read_status,
    remove,
    wants_a_user,
)
from .health import Health
from .log import log
from .main_loop import IDLE_SECONDS, WATCH_SECONDS, keep_on, words_for
from .membership import Member, View
from .observer import Observer
from .process import Etcd
from .termination import Termination
from .upkeep import Upkeep

WANTED_SECONDS = 2.0
"""How long Kubernetes' answer holds."""


class Unit:
    """The main loop's steps; each is short, so that signals and probes are never kept waiting."""

    def __init__(self, config: Config, health: Health, stop: Event) -> None:
        self._config = config
        self._health = health
        self._stop = stop
        self._volume = Volume(config.directory)
        self._etcd = Etcd()
        self._observer = Observer(config)
        self._upkeep = Upkeep(config, self._volume, self._observer)
        self._termination = Termination(config, health, self._etcd, self._observer)
        self._ended = False
        """Whether etcd has ended by itself with 0 and was not started since then."""
        self._voter = False
        self._joining = False
        """Whether etcd runs for the first time under its ID."""
        self._patience = stuck.Patience()
        """With an etcd that is apart; a new one with every start."""
        self._unlisted_since: float | None = None
        """Since when every look has found a list that lacks the ID of the etcd that runs."""
        self._asked_at = -WANTED_SECONDS
        self._answer: bool | None = None

    def run(self) -> None:
        """Bring etcd up and accompany it until told to stop; then stop it."""
        self._health.data = self._volume.may_hold_data()
        keep_on(self._step, self._health, self._etcd, self._stop)
        if self._etcd.running:
            try:
                self._termination.run()
            except Exception as error:  # noqa: BLE001 - whatever it is, etcd is to end in order
                log(words_for(error))
        self._health.beat("stopping", etcd=False)
        self._etcd.stop()

    def _step(self) -> float:
        return self._accompany() if self._etcd.running else self._bring_up()

    # ------------------------------------------------------------ etcd is not running

    def _bring_up(self) -> float:
        pause = self._after_exit(self._etcd.take_exit_code())
        if pause:
            return pause
        disk = self._volume.read(ended=self._ended)
        self._health.data = disk.data
        view = self._observer.look()
        c = self._config
        birth = read_birth(c.cluster_url) if view and disk.birth else None
        decision = rules.unit_start(disk, view, c.peer_url, self._wanted(disk, view), birth)
        match decision:
            case rules.Start():
                # Nobody is led to it before its etcd has said that it is the member it should be.
                # After a full outage nothing but the disk says which one: where that does not,
                # either, etcd's own readiness decides.
                self._health.admitted = view is None and disk.member_id is None
                return self._start(flags.restart(self._config))
            case rules.Wait(reason):
                pause = self._say(f"waiting: {reason}")
                return IDLE_SECONDS if self._ended else pause
            case rules.Refuse(reason):
                self._say(f"refusing to start: {reason}")
                return IDLE_SECONDS
            case rules.SetAside():
                log(f"data of the removed ID kept in {self._volume.set_data_aside()}")
                self._ended = False
                return 0.0
            case rules.Join() | rules.Resume() | rules.Replace():
                assert view is not None
                return self._join(decision, view)

    def _after_exit(self, code: int | None) -> float:
        """Take note of how etcd ended; seconds to wait before anything else."""
        if code is None:
            return 0.0
        self._voter = self._joining = False
        self._health.exit_code = code
        if code == 0:
            # Nobody told it to stop: its ID was removed, or somebody's answer looked like that.
            self._health.beat("etcd ended with 0, as one that was removed", etcd=False)
            self._ended = True
            # Most often the pod is about to end, and looking would only hold that up.
            return max(IDLE_SECONDS, self._etcd.back_off())
        self._health.beat(f"etcd ended with {code}; starting again", etcd=False)
        return self._etcd.back_off()

    def _wanted(self, disk: rules.Disk, view: View | None) -> bool | None:
        """Ask Kubernetes only where the answer matters: not on an ordinary restart."""
        if view is None:
            return None
        if disk.data and rules.may_go_on(disk, view, self._config.peer_url):
            return None
        c, now = self._config, time.monotonic()
        if now - self._asked_at > WANTED_SECONDS:
            self._asked_at = now
            self._answer = kubernetes.wants(c.namespace, c.stateful_set, c.ordinal)
        return self._answer

    def _join(self, step: rules.Join | rules.Resume | rules.Replace, view: View) -> float:
        """Take the one step towards membership, if the rules allow it now."""
        blocked = rules.blocked_from(step, view, self._observer.history, time.monotonic())
        if blocked:
            self._say(f"waiting to join: {blocked}")
            return self._observer.pause(view.voters)
        c = self._config
        try:
            match step:
                case rules.Join():
                    # An ID is used up by its add: one that cannot be noted would be lost.
                    self._volume.require_room()
                    members = add_learner(c.cluster_url, c.name, c.peer_url)
                    mine = next(m for m in members if m.peer_url == c.peer_url)
                    self._volume.write_identity(view, mine)
                    log(f"added as learner {mine.hex_id}: {len(members)} members")
                case rules.Resume():
                    self._health.admitted = False
                    self._joining = True
                    return self._start(flags.join(c, view.members))
                case rules.Replace(member):
                    log(f"{member.hex_id} is listed for this address, but its disk is lost")
                    remove([c.cluster_url], member)
        except (EtcdctlError, OSError, ValueError) as error:
            # "unhealthy cluster" (etcd's own 5 s rule) and "Peer URLs already exists" pass by
            # themselves: the next look decides anew.
            return self._say(f"waiting to join: {error}")
        return 0.0

    def _start(self, arguments: list[str]) -> float:
        self._health.beat("etcd is starting", etcd=True)
        self._ended, self._unlisted_since = False, None
        self._patience = stuck.Patience()
        self._etcd.start(arguments)
        return WATCH_SECONDS

    def _say(self, phase: str) -> float:
        self._health.beat(phase, etcd=False)
        return WATCH_SECONDS

    # ------------------------------------------------------------ etcd is running

    def _accompany(self) -> float:
        if self._voter:
            self._health.beat("running as a voter", etcd=True)
            if self._stays_apart():
                return self._start_again("etcd does not find the others, which can be reached")
            self._upkeep.go_on()
            return IDLE_SECONDS
        view = self._observer.look()
        if view is None:
            self._unlisted_since = None
            return self._go_on_alone()
        mine = view.by_peer_url(self._config.peer_url)
        disk = self._volume.read()
        if mine is None or disk.member_id not in (None, mine.id):
            return self._go_on_unlisted(view, disk)
        self._unlisted_since = None
        if self._joining and stuck.mute(view, mine, self._config.metrics_port):
            return self._start_again("etcd missed its own announcement")
        if not mine.learner:
            return self._begin_to_vote(view, mine)
        self._health.admitted = False
        blocked = rules.unready_to_vote(view, self._observer.history, mine, time.monotonic())
        self._health.beat(f"learner: {blocked or 'being promoted'}", etcd=True)
        if blocked is None:
            try:
                promote(self._config.cluster_url, mine)
            except EtcdctlError as error:
                log(f"not promoted yet: {error}")
            return 0.1
        return self._observer.pause((*view.voters, mine))

    def _go_on_alone(self) -> float:
        """Serve where no cluster answers, as after a full outage, unless etcd says that it is
        another member than the disk does."""
        c, disk = self._config, self._volume.read()
        own = read_status(c.client_url)
        phase = "running; no cluster answers at the Service"
        other: str | None = None
        # One that is silent was given a second to answer.
        pause = IDLE_SECONDS if own else WATCH_SECONDS
        if own is not None:
            other = rules.another_member(own, disk.cluster_id, disk.member_id)
            self._health.admitted = other is None
        elif disk.member_id is not None and wants_a_user(c.client_url):
            # As the others do, then: the cluster may be as well as ever, and its clients have one.
            phase = "running; etcd's authentication is on: no cluster is seen"
            pause = IDLE_SECONDS
            told = metrics.member_id(c.metrics_port)
            other = rules.unnamed_member(told, disk.member_id)
            self._health.admitted = told == disk.member_id
        if other:
            phase = f"not serving: {other}"
        self._health.beat(phase, etcd=True)
        return pause

    def _go_on_unlisted(self, view: View, disk: rules.Disk) -> float:
        """Say so, and end an etcd that nobody tells of its removal: what then is to be done stands
        in the rules. The data may be of another cluster, which must not serve beside that one."""
        self._health.admitted = False
        own = read_status(self._config.client_url)
        if own is not None and own.cluster_id != view.cluster_id:
            phase = f"not serving: the data here is of cluster {own.cluster_id:x}"
        else:
            phase = "running; this address is not in the list under this ID"
        where = f"the Service leads to cluster {view.cluster_id:x}"
        self._health.beat(f"{phase}; {where}", etcd=True)
        now = time.monotonic()
        birth = read_birth(self._config.cluster_url) if disk.birth else None
        if not rules.was_removed(disk, view, birth):
            self._unlisted_since = None
            return IDLE_SECONDS
        self._unlisted_since = self._unlisted_since or now
        if now - self._unlisted_since < rules.UNLISTED_SECONDS:
            return IDLE_SECONDS
        self._joining = False
        self._health.beat("removed from the membership, and etcd does not notice", etcd=False)
        self._etcd.kill()
        return 0.0

    def _begin_to_vote(self, view: View, mine: Member) -> float:
        """Serve, and note in which cluster, unless the disk says that it belongs to another, since
        etcd was started without asking anybody where nobody answered, or etcd itself says so: an
        old ID may run in this one's place, or data that was put there by hand."""
        birth = read_birth(self._config.cluster_url)
        other = rules.another_cluster(self._volume.read(), view, birth)
        own = None if other else read_status(self._config.client_url)
        if own is not None:
            other = rules.another_member(own, view.cluster_id, mine.id)
        if other:
            self._health.admitted = False
            self._health.beat(f"not serving: {other}", etcd=True)
            return IDLE_SECONDS
        if own is None:
            self._health.beat(f"running; it does not answer as {mine.hex_id} yet", etcd=True)
            return WATCH_SECONDS  # it was given a second to answer
        self._health.admitted = self._voter = True
        # First: it may be what leaves no room for the note.
        self._volume.drop_what_was_set_aside()
        self._volume.write_identity(view, mine, birth)
        return 0.0

    def _start_again(self, why: str) -> float:
        self._joining = False
        self._health.beat(f"{why}: starting it again", etcd=False)
        # Ended in order it would first wait, for up to 7 s, for reads that nobody answers.
        self._etcd.kill()
        return self._start(flags.restart(self._config))

    def _stays_apart(self) -> bool:
        """Whether this voter is not ready any more, and has been apart for long."""
        if self._health.ready_seconds():
            self._patience.note_ready()
            return False
        if not self._patience.is_needed:
            return False
        apart = self._health.refuses() and self._is_apart()
        return self._patience.is_over(apart, time.monotonic())

    def _is_apart(self) -> bool:
        view = self._observer.look()
        seen = view or self._observer.seen
        mine = seen and seen.by_peer_url(self._config.peer_url)
        if seen is None or mine is None:
            return False
        if view is not None:
            return stuck.apart(view, mine)
        own = read_status(self._config.client_url)
        return own is not None and stuck.leaderless(seen.voters, mine, own)
