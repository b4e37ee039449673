"""Members that join: all at once, killed on the way, and what clients notice of it."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable

from tests.faults.cluster import UNITS, Cluster, UnwellError, is_ready
from tests.faults.etcd_api import Listed, NoAnswerError, call, listed
from tests.faults.injection.pod_processes import kill
from tests.faults.run import Run
from tests.faults.scenario import Scenario, SuiteError
from tests.support.stack import until

_SECONDS_EACH = 5.5
_JOIN_SECONDS = 60.0
_LOOK_SECONDS = 0.005


def three_at_once(run: Run) -> None:
    """The first `up`: three units join a cluster of three seeds, side by side."""
    began = time.time_ns()
    with run.first_up() as up:
        up.must_succeed(120)
    timings = run.stack.outputs()["timings"]["handover"]
    run.record(
        "three units start at once",
        timings["units vote"],
        since_ns=began,
        heal=_SECONDS_EACH * len(UNITS),
    )


# ---------------------------------------------------------------- killed on the way


def killed_on_the_way(run: Run) -> None:
    """A unit that joins is killed at each of the three points in between: it goes on by itself,
    and no learner is left behind."""
    cluster = run.cluster
    moments: dict[str, Callable[[Listed, str], bool]] = {
        "between add and start": lambda m, _: m.learner and not m.name,
        "between start and promote": lambda m, _: m.learner and bool(m.name),
        "between promote and ready": lambda m, _: not m.learner,
    }
    for moment, is_now in moments.items():
        pod = cluster.follower()
        with run.fault(f"killed {moment}", heal=60):
            _kill_joiner(cluster, pod, is_now)


def _kill_joiner(cluster: Cluster, pod: str, is_now: Callable[[Listed, str], bool]) -> None:
    """Take a unit's disk away and kill its container at a moment of its joining."""
    witness = cluster.endpoint(next(u for u in UNITS if u not in (pod, cluster.leader())))
    old, uid = cluster.ids()[pod], cluster.lose_disk(pod)
    until(f"a new pod {pod}", lambda: cluster.is_new(pod, uid), 30)
    container = cluster.container(pod)
    supervisor = container.supervisor()
    _wait_for(witness, pod, old, lambda m: is_now(m, pod))
    kill(supervisor)
    found = _entry(witness, pod)
    if found is None or not is_now(found, pod) or is_ready(cluster.pod(pod)):
        raise SuiteError(f"{pod} was killed too late: {found}")


def _wait_for(witness: str, pod: str, old: str, is_now: Callable[[Listed], bool]) -> None:
    deadline = time.monotonic() + _JOIN_SECONDS
    while True:
        found = _entry(witness, pod)
        if found is not None and found.id != old and is_now(found):
            return
        if time.monotonic() > deadline:
            raise UnwellError(f"{pod} does not join: {found}")
        time.sleep(_LOOK_SECONDS)


def _entry(witness: str, pod: str) -> Listed | None:
    try:
        return next((m for m in listed(witness) if m.pod == pod), None)
    except NoAnswerError:
        return None


# ---------------------------------------------------------------- what clients notice


class NewClients(threading.Thread):
    """Clients that each come through the Service anew, ask one question and go.

    A client that stays is led to a member once; these are led to all that the Service selects.
    """

    def __init__(self, service: str) -> None:
        super().__init__(name="new clients", daemon=True)
        self.over = threading.Event()
        self.answers = 0
        self.refusals: dict[str, int] = {}
        self._service = service

    def run(self) -> None:
        key = base64.b64encode(b"any").decode()
        while not self.over.wait(0.01):
            try:
                call(self._service, "kv/range", {"key": key}, seconds=1)
                self.answers += 1
            except NoAnswerError as refusal:
                text = str(refusal)
                self.refusals[text] = self.refusals.get(text, 0) + 1


def clients_during_a_join(run: Run) -> None:
    """No client is ever led to a member that does not vote."""
    cluster = run.cluster
    clients = NewClients(run.stack.address())
    clients.start()
    try:
        with run.fault("a unit joins while new clients come", heal=60):
            cluster.lose_disk(cluster.follower())
    finally:
        clients.over.set()
        clients.join()
    run.notes.append(f"{clients.answers} new clients were answered, not: {clients.refusals}")
    assert clients.answers > 100, "too few clients came through"
    misled = {text: count for text, count in clients.refusals.items() if "learner" in text}
    assert not misled, f"clients were led to a learner: {misled}"


SCENARIOS = (
    Scenario("14", "three units start at once", three_at_once, from_nothing=True),
    Scenario("15", "unit killed while it joins", killed_on_the_way),
    Scenario("27", "clients during a join", clients_during_a_join),
)
