"""A seed: forms the cluster with the other seeds by discovery, once, and idles when removed."""

from __future__ import annotations

from threading import Event

from . import discovery_keys, flags
from .config import Config
from .disk import Volume
from .etcdctl import EtcdctlError, answers, etcdctl, read_birth, read_view
from .health import Health
from .main_loop import IDLE_SECONDS, WATCH_SECONDS, keep_on
from .process import Etcd


class Seed:
    """The main loop of a seed.

    A token is single-use: etcd registers its ID with it, so a seed whose etcd ends before the
    cluster has formed is dead (v2: "found duplicate id"; v3 would form a second cluster). It then
    says so and holds; the discovery resource's next attempt brings empty seeds and a new token.
    """

    def __init__(self, config: Config, health: Health, stop: Event) -> None:
        self._config = config
        self._health = health
        self._stop = stop
        self._volume = Volume(config.directory)
        self._etcd = Etcd()
        self._held: str | None = None
        """Why no etcd is started any more."""
        self._ended = False
        """Whether etcd has ended by itself with 0 and was not started since then."""

    def run(self) -> None:
        """Bring etcd up and accompany it until told to stop; then stop it."""
        self._health.data = self._volume.may_hold_data()
        keep_on(self._step, self._health, self._etcd, self._stop)
        self._health.beat("stopping", etcd=False)
        self._etcd.stop()

    def _step(self) -> float:
        return self._accompany() if self._etcd.running else self._bring_up()

    def _bring_up(self) -> float:
        code = self._etcd.take_exit_code()
        if code is not None:
            self._health.exit_code = code
        disk = self._volume.read()
        if self._held is None and not disk.data and self._volume.discovery_started:
            # How, this process alone knows: after a restart of the container nobody does.
            how = "" if code is None else f" with {code}"
            return self._hold(
                f"etcd ended{how} before the cluster had formed: this token is used up"
            )
        if self._held is not None:
            self._health.beat(self._held, etcd=False)
            return IDLE_SECONDS
        if code == 0:
            self._ended = True
            self._health.beat("etcd ended with 0, as one that was removed", etcd=False)
            return max(IDLE_SECONDS, self._etcd.back_off())
        if code:
            self._health.beat(f"etcd ended with {code}; starting again", etcd=False)
            return self._etcd.back_off()
        if not disk.data:
            return self._begin()
        if self._ended and self._is_removed():
            self._held = "removed from the membership; nothing more to do"
            return 0.0
        self._start(flags.restart(self._config))
        return WATCH_SECONDS

    def _is_removed(self) -> bool:
        """Whether the list lacks this seed, whose etcd has ended with 0 (see `rules.Disk.ended`).

        Its address has one ID for ever. Where nobody answers etcd finds out: it ends again.
        """
        c = self._config
        view = read_view(c.cluster_url) or read_view(c.peers_url)
        return view is not None and view.by_peer_url(c.peer_url) is None

    def _hold(self, why: str) -> float:
        self._held = why
        self._health.fail(why)
        return IDLE_SECONDS

    def _begin(self) -> float:
        """Take part in discovery, as soon as the service is prepared and if it is the first time.

        v3: etcd itself would give up at once where the size key is missing, and would take part
        again under the same ID, which is made of address and token, although its data is lost. A
        service of v2 refuses that by itself.
        """
        c = self._config
        if c.discovery_protocol == "v3":
            found = self._token_keys()
            if any(line.endswith(f"={c.peer_url}") for line in found):
                return self._hold(
                    "its disk is empty, and a seed of this address has used the token"
                )
            if discovery_keys.size_key(c.discovery_token) not in found:
                self._health.beat("waiting for the discovery service and its size key", etcd=False)
                return WATCH_SECONDS
        try:
            self._volume.mark_discovery_started(c.discovery_token)
            self._start(flags.seed(c))
        except OSError:
            # No process has come to be, so none has registered with the token.
            self._volume.take_discovery_mark_back()
            raise
        return WATCH_SECONDS

    def _token_keys(self) -> list[str]:
        """Keys and values that stand under a v3 token, line by line; empty while none can be read.
        For each seed that came, `<name>=<peer URL>` is such a value."""
        endpoints = self._config.discovery_endpoint.split(",")
        prefix = discovery_keys.prefix(self._config.discovery_token)
        try:
            if any(answers(endpoint) for endpoint in endpoints):
                return etcdctl(endpoints, "get", "--prefix", prefix).splitlines()
        except EtcdctlError:
            pass
        return []

    def _start(self, arguments: list[str]) -> None:
        self._health.beat("etcd is starting", etcd=True)
        self._ended = False
        self._etcd.start(arguments)

    def _accompany(self) -> float:
        if self._health.admitted:
            self._health.beat("running as a seed", etcd=True)
            return IDLE_SECONDS
        # No client is let in before the bootstrap is accepted, so that an attempt that has to be
        # thrown away never holds an acknowledged write.
        self._health.beat("waiting for the cluster's birth mark", etcd=True)
        local = self._config.client_url
        if answers(local) and read_birth(local):
            self._health.admitted = True
        return WATCH_SECONDS
