"""What a unit that is told to stop does before its etcd ends: `stopping` decides, this acts."""

from __future__ import annotations

import time

from . import kubernetes, rules, stopping
from .config import Config
from .etcdctl import EtcdctlError, move_leader, remove
from .health import Health
from .log import log
from .main_loop import WATCH_SECONDS
from .membership import View
from .observer import Observer
from .process import Etcd

LEAVE_SECONDS = 35.0
"""How long a unit that is told to stop may take to hand over leadership or to leave."""
ELSEWHERE_SECONDS = 2.0
"""For which a unit that is told to stop goes on serving. Each node learns by itself, and later,
that the pod is no endpoint any more (Kubernetes: "Pod Termination Flow"): clients that connect anew
would be led to where nobody is."""


class Termination:
    """That of one unit; its etcd is ended after this."""

    def __init__(self, config: Config, health: Health, etcd: Etcd, observer: Observer) -> None:
        self._config = config
        self._health = health
        self._etcd = etcd
        self._observer = observer

    def run(self) -> None:
        """Hand over leadership, and serve until clients are led elsewhere; leave the membership if
        the StatefulSet wants this ordinal no more.

        Ends at the latest after LEAVE_SECONDS, with the membership as it then is.
        """
        c, now = self._config, time.monotonic()
        deadline, elsewhere = now + LEAVE_SECONDS, now + ELSEWHERE_SECONDS
        wanted = kubernetes.wants(c.namespace, c.stateful_set, c.ordinal, attempts=3)
        me = c.stateful_set, c.peer_url
        while self._etcd.running and time.monotonic() < deadline:
            view = self._observer.look(anywhere=True)
            step = stopping.before_stop(view, self._observer.history, time.monotonic(), me, wanted)
            try:
                match step:
                    case stopping.Stop() if self._serves(wanted, view, elsewhere):
                        # Then to be looked at again: it may have been made the leader.
                        self._serve(elsewhere)
                    case stopping.Stop():
                        return
                    case stopping.MoveLeader(target):
                        self._health.beat(f"moving leadership to {target.pod}", etcd=True)
                        move_leader(c.client_url, target)
                        if wanted is None:
                            return
                    case stopping.Leave() if time.monotonic() < elsewhere:
                        self._serve(elsewhere)
                    case stopping.Leave(member):
                        self._health.beat("leaving the membership: scaled down", etcd=True)
                        others = [m for m in view.voters if m != member] if view else []
                        remove([m.client_url for m in others if m.client_url], member)
                        return
                    case rules.Wait(reason):
                        self._health.beat(f"waiting to leave: {reason}", etcd=True)
            except EtcdctlError as error:
                log(f"not yet: {error}")
            time.sleep(WATCH_SECONDS)

    def _serves(self, wanted: bool | None, view: View | None, until: float) -> bool:
        """Whether clients may still come, and have somewhere else to go. Where the StatefulSet goes
        there will soon be nobody else."""
        others = view is not None and len(view.voters) > 1
        return bool(wanted) and self._health.admitted and others and time.monotonic() < until

    def _serve(self, until: float) -> None:
        self._health.beat("serving until clients are led elsewhere", etcd=True)
        while self._etcd.running and time.monotonic() < until:
            time.sleep(WATCH_SECONDS)
