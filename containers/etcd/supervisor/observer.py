"""How one unit sees its cluster, look by look, and when it is worth looking again."""

from __future__ import annotations

import time
from collections.abc import Iterable

from . import rules
from .config import Config
from .etcdctl import read_view
from .health import ready_seconds_of
from .main_loop import IDLE_SECONDS, WATCH_SECONDS
from .membership import History, Member, View, but_full, observe


class Observer:
    """Remembers what the rules need of earlier looks."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.history = History()
        self.seen: View | None = None
        """The cluster when it last answered."""
        self._first_look = False
        """Whether the last look was the first of its kind: nobody's age is known."""

    def look(self, *, anywhere: bool = False) -> View | None:
        """The cluster as it answers through the Service; None while it does not.

        Before a cluster serves, its members can be watched already: the time for which they have
        been healthy then counts. `anywhere`: one that does not serve may answer, too.
        """
        c = self._config
        served = read_view(c.cluster_url)
        view = served or read_view(c.peers_url)
        self._first_look = self.history.leader_index is None
        now, told = time.monotonic(), None
        if view is not None:
            self.seen = view = but_full(view)
            asked = rules.of_unknown_age(view, self.history, now, c.peer_url)
            told = ready_seconds_of({m.id: m.host for m in asked}, c.health_port)
        self.history = observe(self.history, view, now, told)
        return view if anywhere or served else None

    def pause(self, members: Iterable[Member]) -> float:
        """Until the next look: at the moment when these settle, if that can be foretold.

        Looking more often would only take the processor from etcd, which is starting beside it.
        """
        if self._first_look:
            return WATCH_SECONDS
        left = rules.seconds_to_settle(members, self.history, time.monotonic())
        return min(left, IDLE_SECONDS) or WATCH_SECONDS
