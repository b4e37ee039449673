"""What is seen to for the whole cluster, by one of its voters: the leader's unit."""

from __future__ import annotations

import time

from . import kubernetes, rules, stopping
from .config import Config
from .disk import Volume
from .etcdctl import EtcdctlError, remove
from .log import log
from .marking import mark_again
from .membership import Member, View
from .observer import Observer

ROUND_SECONDS = 15.0
"""Between two looks of a voter for what there is to do."""


class Upkeep:
    """The birth mark stays, and nobody is listed who is gone for good."""

    def __init__(self, config: Config, volume: Volume, observer: Observer) -> None:
        self._config = config
        self._volume = volume
        self._observer = observer
        self._round_at = time.monotonic()

    def go_on(self) -> None:
        """Make a round if the last one is long enough ago."""
        if time.monotonic() - self._round_at > ROUND_SECONDS:
            self._round_at = time.monotonic()
            self._make_a_round()

    def _make_a_round(self) -> None:
        c, view = self._config, self._observer.look()
        mine = view and view.by_peer_url(c.peer_url)
        if view is None or mine is None:
            return
        mark = rules.mark_to_keep(self._volume.read(), view, mine)
        if mark:
            mark_again(c.client_url, mark)
        self._remove_abandoned(view, mine)

    def _remove_abandoned(self, view: View, mine: Member) -> None:
        """Remove a member that is away for good: scaled away without leaving.

        A member whose pod is wanted is left alone, however long it takes to come back.
        """
        c, now = self._config, time.monotonic()
        gone = stopping.abandoned(view, self._observer.history, now, c.stateful_set, mine)
        ordinal = gone and gone.ordinal_in(c.stateful_set)
        if gone is None or ordinal is None:
            return
        if kubernetes.wants(c.namespace, c.stateful_set, ordinal) is not False:
            return
        try:
            remove([c.client_url], gone)
            log(f"{gone.pod} ({gone.hex_id}) is away and not wanted: removed from the membership")
        except EtcdctlError as error:
            log(f"{gone.pod} is away and not wanted, but stays in the membership for now: {error}")
