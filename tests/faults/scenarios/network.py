"""The network between members: cut, and bad."""

from __future__ import annotations

import time

from tests.faults.cluster import UNITS
from tests.faults.injection.packets import bad_line, cut_between, cut_off
from tests.faults.run import Run
from tests.faults.scenario import Scenario

_CUT_SECONDS = 30
_SILENT_SECONDS = 20
"""The end of a cut, in which nobody hears any more what was sent before it."""
_PEER_PORT = 2380


def cut(run: Run) -> None:
    """The majority goes on; who is alone refuses to read and to write, and is nobody's victim.
    Where all are alone nobody goes on, until they reach each other again."""
    cluster = run.cluster
    ids = cluster.ids()
    for role, gap in (("follower", 1.0), ("leader", 3.0)):
        pod = cluster.with_role(role)
        address = cluster.pod(pod)["status"]["podIP"]
        supervisor = cluster.container(pod).supervisor()
        what = f"the {role} is cut off for {_CUT_SECONDS} s"
        with run.fault(what, gap=gap, heal=10), cut_off(run.lab, address):
            run.last(_CUT_SECONDS / 2)
            _refuses(run, pod)
            run.last(_CUT_SECONDS / 2)
        assert cluster.container(pod).supervisor() == supervisor, f"{pod} was restarted"
    leader = cluster.leader()
    one, other = (unit for unit in UNITS if unit != leader)
    addresses = [cluster.pod(pod)["status"]["podIP"] for pod in (leader, one)]
    what = f"leader and one follower do not reach each other for {_CUT_SECONDS} s"
    with run.fault(what, gap=3, heal=10), cut_between(run.lab, *addresses):
        run.last(_CUT_SECONDS)
    run.notes.append(f"ring: {leader} led, {other} was reached by both, {cluster.leader()} leads")
    addresses = [cluster.pod(unit)["status"]["podIP"] for unit in UNITS]
    what = f"no unit reaches another for {_CUT_SECONDS} s"
    with run.fault(what, heal=10), cut_between(run.lab, *addresses):
        run.last(_CUT_SECONDS - _SILENT_SECONDS)
        since = time.time_ns()
        run.last(_SILENT_SECONDS)
        until = time.time_ns()
    written = run.acknowledged(since, until)
    assert not written, f"{written} writes were acknowledged in the last {_SILENT_SECONDS} s of it"
    assert cluster.ids() == ids, f"other members than before: {ids}, {cluster.ids()}"


def _refuses(run: Run, pod: str) -> None:
    """Ask a member that is cut off, from inside its own pod."""
    for words in (("get", "any"), ("put", "/lonely", "write")):
        command = ("exec", pod, "--", "etcdctl", "--command-timeout=2s", *words)
        done = run.stack.run("kubectl", "-n", run.stack.namespace, *command)
        assert done.code != 0, f"{pod} is alone and answered {' '.join(words)}: {done.output}"


def bad(run: Run) -> None:
    """Nothing is lost, and members that do not hear of each other do not vote without an end."""
    cluster = run.cluster
    ids, term = cluster.ids(), max(a.term for a in cluster.said().values())
    what = f"half of the packets between members lost, the rest 0.1 s late, {_CUT_SECONDS} s"
    with run.fault(what, heal=15), bad_line(run.lab, _PEER_PORT, seconds=0.1, loss=0.5):
        run.last(_CUT_SECONDS)
    elections = max(a.term for a in cluster.said().values()) - term
    run.notes.append(f"{elections} elections")
    # Each costs at least one election time-out, which is 1 s.
    assert elections <= _CUT_SECONDS, f"{elections} elections in {_CUT_SECONDS} s"
    assert cluster.ids() == ids, f"other members than before: {ids}, {cluster.ids()}"


SCENARIOS = (
    Scenario("6", "one member cut off", cut),
    Scenario("7", "bad line between members", bad),
)
