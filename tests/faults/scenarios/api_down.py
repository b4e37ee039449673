"""Kubernetes does not answer, or does not ask: its API is down, or the kubelet stands still."""

from __future__ import annotations

import os
import signal
import time

from lab import processes
from tests.faults.cluster import UNITS
from tests.faults.injection.api_server import no_api_server
from tests.faults.injection.pod_processes import Container, stopped
from tests.faults.run import Run
from tests.faults.scenario import Scenario
from tests.support.stack import until

_DOWN_SECONDS = 120
_SHORT_SECONDS = 15
"""Longer than a restart of a kubelet, and than any answer about readiness counts."""
_UP_SECONDS = 240
"""Kubernetes' own controllers may be a minute late after an outage: each looks for the API again
after up to 30 s, doubled by chance, and begins with a second again only once there was none for two
minutes (client-go: tools/cache/reflector.go), which is not so after the outage of 21."""


def api_down(run: Run) -> None:
    """etcd goes on, and a container that is stopped meanwhile, as a drain or an eviction stops it,
    comes back as the same member: who cannot ask changes nothing."""
    cluster = run.cluster
    ids, leader, follower = cluster.ids(), cluster.leader(), cluster.follower()
    # Asked now, since nobody can be asked while the API is down.
    containers = {pod: cluster.container(pod) for pod in (follower, leader)}
    what = f"no API server for {_DOWN_SECONDS} s"
    with run.fault(what, gap=1.5, heal=30), no_api_server(run.lab):
        ends = time.monotonic() + _DOWN_SECONDS
        for pod, container in containers.items():
            _stop(pod, container)
        run.last(max(0.0, ends - time.monotonic()))
    assert cluster.ids() == ids, f"other members than before: {ids}, {cluster.ids()}"


def _stop(pod: str, container: Container) -> None:
    """Tell a container to stop, and wait until the kubelet has started it again."""
    os.kill(container.supervisor(), signal.SIGTERM)
    until(f"the end of {pod}'s container", lambda: not container.pids(), 60)
    place = container.groups[0].parent
    until(
        f"{pod} runs etcd again",
        lambda: any(
            Container((group,)).has_etcd()
            for group in place.iterdir()
            if group.is_dir() and group != container.groups[0]
        ),
        60,
    )


def api_down_during_up(run: Run) -> None:
    """A scale that is under way bears with it, and ends as if nothing had been."""
    cluster = run.cluster
    run.stack.set(handover={"timeoutSeconds": _UP_SECONDS})
    cluster.want(5)
    with run.background_up() as up:
        up.wait_for("[scale]", _UP_SECONDS)
        what = f"no API server for {_SHORT_SECONDS} s while `up` scales"
        with run.fault(what, gap=0.5):
            with no_api_server(run.lab):
                run.last(_SHORT_SECONDS)
            up.must_succeed(_UP_SECONDS)
        run.notes += [line.strip() for line in up.output.splitlines() if "asking again" in line][:1]
    cluster.want(3)
    run.stack.up()


def kubelet_silent(run: Run) -> None:
    """As while it is restarted: nobody asks the members whether they are ready, which is no reason
    to end one that is. On this one node it is all of them."""
    cluster = run.cluster
    before = {pod: cluster.container(pod).etcd() for pod in UNITS}
    (kubelet,) = (p for p in processes.recorded(run.lab) if p.name == "kubelet" and p.alive)
    what = f"SIGSTOP of the kubelet for {_SHORT_SECONDS} s"
    with run.fault(what, gap=0.2, heal=15), stopped(kubelet.pid):
        run.last(_SHORT_SECONDS)
    now = {pod: cluster.container(pod).etcd() for pod in UNITS}
    assert now == before, f"etcd was started again: {before}, {now}"


SCENARIOS = (
    Scenario("21", "Kubernetes API down, containers stopped meanwhile", api_down),
    Scenario("21b", "Kubernetes API down while `up` works", api_down_during_up),
    Scenario("21c", "the kubelet asks nobody", kubelet_silent),
)
