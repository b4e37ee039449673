"""The discovery service of the seeds: an etcd of one member that outlives no seed."""

from __future__ import annotations

from threading import Event

from . import flags
from .config import Config
from .health import Health
from .main_loop import IDLE_SECONDS, keep_on
from .process import Etcd


class Discovery:
    """The main loop of the discovery service's only pod."""

    def __init__(self, config: Config, health: Health, stop: Event) -> None:
        self._config = config
        self._health = health
        self._stop = stop
        self._etcd = Etcd()

    def run(self) -> None:
        """Keep one etcd running until told to stop."""
        self._health.admitted = True
        keep_on(self._keep_running, self._health, self._etcd, self._stop)
        self._etcd.stop()

    def _keep_running(self) -> float:
        if not self._etcd.running:
            code = self._etcd.take_exit_code()
            if code is not None:
                self._health.exit_code = code
                self._health.beat(f"etcd ended with {code}; starting again", etcd=False)
                return self._etcd.back_off()
            self._etcd.start(flags.discovery(self._config))
        self._health.beat("running as the discovery service", etcd=True)
        return IDLE_SECONDS
