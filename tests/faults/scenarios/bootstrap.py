"""The birth of the cluster: seeds and discovery service killed before, during and after the seeds
look for each other, a token that is used twice, and a birth of which Pulumi does not know.

Each time it works, or `up` ends with a clear error within a minute, and the next one begins anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress

from tests.faults.cluster import SEEDS, UNITS, Cluster, UnwellError
from tests.faults.etcd_api import NoAnswerError, call
from tests.faults.injection.pod_processes import Container, NotRunningError, kill, stopped
from tests.faults.looking import looking
from tests.faults.run import Run
from tests.faults.scenario import Scenario, SuiteError
from tests.support.background_up import BackgroundUp
from tests.support.stack import until

_DISCOVERY = "etcd-discovery-0"
_ERROR_SECONDS = 60.0
_UP_SECONDS = 150.0
_START_SECONDS = 60.0
_SILENCE_SECONDS = 8.0
"""Longer than it takes to ask every member in vain; the kubelet does not mind it yet."""


# ---------------------------------------------------------------- catching a moment


def _container(cluster: Cluster, pod: str) -> Container:
    """A pod's container as soon as it runs."""
    until(f"{pod} runs", lambda: cluster.runs(pod), _START_SECONDS)
    return cluster.container(pod)


def _supervisor(container: Container) -> int:
    return until("the supervisor", lambda: _or_none(container.supervisor), 10)


def _waits(run: Run, seed: str) -> bool:
    """Whether a seed has come so far that it asks for its discovery service."""
    said = run.stack.kubectl("logs", seed, check=False)
    return "waiting for the discovery service" in said


def _etcd(container: Container) -> int:
    return until("etcd", lambda: _or_none(container.etcd), _START_SECONDS)


def _or_none(pid: Callable[[], int]) -> int | None:
    try:
        return pid()
    except NotRunningError:
        return None


def _registered(cluster: Cluster) -> int:
    """How many seeds stand in the discovery service; 0 while it does not answer."""
    try:
        answer = call(
            cluster.endpoint(_DISCOVERY),
            "kv/range",
            {"key": _text("/_etcd/registry/"), "range_end": _text("/_etcd/registry0")},
            1,
        )
    except (NoAnswerError, UnwellError):
        return 0
    keys = [base64.b64decode(kv["key"]).decode() for kv in answer.get("kvs", [])]
    return sum("/members/" in key for key in keys)


def _text(words: str) -> str:
    return base64.b64encode(words.encode()).decode()


def _token(run: Run) -> str:
    """The token that the seeds of now have."""
    path = "jsonpath={.data.token}"
    return base64.b64decode(
        run.stack.kubectl("get", "secret", "etcd-discovery", "-o", path)
    ).decode()


@contextmanager
def _discovery_in_the_middle(run: Run) -> Generator[None]:
    """Two seeds stand in the discovery service and wait for the third, which is held back."""
    cluster = run.cluster
    last = _container(cluster, SEEDS[2])
    with stopped(_supervisor(last)):
        if last.has_etcd():
            raise SuiteError("the third seed was faster than its being stopped")
        until("two seeds in discovery", lambda: _registered(cluster) == 2, _START_SECONDS)
        yield


# ---------------------------------------------------------------- what must come of it


def _works_or_says_why(run: Run, up: BackgroundUp, what: str, token: str = "") -> None:
    """Either the cluster is born, or `up` fails in time with what to do, and the next one works
    with another token."""
    began, since = time.monotonic(), time.time_ns()
    until(
        f"{what}: a birth, or the end of `up`; it says:\n{up.output}",
        lambda: "is born" in up.output or not up.running,
        _ERROR_SECONDS,
    )
    run.record(what, time.monotonic() - began, since_ns=since, heal=_ERROR_SECONDS)
    if "is born" in up.output:
        up.must_succeed(_UP_SECONDS)
        run.notes.append(f"{what}: it worked")
        return
    said = up.output
    assert "\nNext: " in said or " Next: " in said, f"an error without what to do:\n{said}"
    (reason,) = [line for line in said.splitlines() if "Next:" in line][-1:]
    run.notes.append(f"{what}: `up` failed, {reason.strip()}")
    run.stack.up()
    used = run.stack.birth_mark()["token"]
    first = hashlib.sha256(token.encode()).hexdigest()[:16]
    assert token, "the scenario did not look at the first token"
    assert used != first, "the next `up` took the token that was used up"


def seed_killed_before(run: Run) -> None:
    with run.first_up() as up:
        # Held back, or the seed would be in discovery as soon as it can say that it waits for it.
        service = _container(run.cluster, _DISCOVERY)
        with stopped(_etcd(service)):
            container = _container(run.cluster, SEEDS[1])
            until("the seed waits", lambda: _waits(run, SEEDS[1]), _START_SECONDS)
            if container.has_etcd():
                raise SuiteError("the seed was in discovery already")
            kill(container.supervisor())
        _works_or_says_why(run, up, "a seed killed before discovery", _token(run))


def seed_killed_during(run: Run) -> None:
    with run.first_up() as up:
        with _discovery_in_the_middle(run):
            token = _token(run)
            kill(run.cluster.container(SEEDS[0]).etcd())
        _works_or_says_why(run, up, "a seed's etcd killed during discovery", token)


def seed_killed_after(run: Run) -> None:
    with run.first_up() as up:
        up.wait_for("is born", _UP_SECONDS)
        kill(run.cluster.container(SEEDS[0]).etcd())
        _works_or_says_why(run, up, "a seed's etcd killed after discovery")


def discovery_killed_before(run: Run) -> None:
    with run.first_up() as up:
        kill(_etcd(_container(run.cluster, _DISCOVERY)))
        _works_or_says_why(run, up, "discovery service killed before it was used", _token(run))


def discovery_killed_during(run: Run) -> None:
    with run.first_up() as up:
        with _discovery_in_the_middle(run):
            token = _token(run)
            kill(run.cluster.container(_DISCOVERY).etcd())
        _works_or_says_why(run, up, "discovery service killed during discovery", token)


def discovery_lost_during(run: Run) -> None:
    """With its pod go its keys, and with them whom the seeds wait for."""
    with run.first_up() as up:
        with _discovery_in_the_middle(run):
            token = _token(run)
            lost = run.cluster.container(_DISCOVERY)
            run.stack.kubectl("delete", "pod", _DISCOVERY, "--grace-period=1", "--wait=false")
            until("its end", lambda: not lost.pids(), _START_SECONDS)
        _works_or_says_why(run, up, "discovery service's pod lost during discovery", token)


def discovery_killed_after(run: Run) -> None:
    with run.first_up() as up:
        up.wait_for("is born", _UP_SECONDS)
        kill(run.cluster.container(_DISCOVERY).etcd())
        _works_or_says_why(run, up, "discovery service killed after discovery")


# ---------------------------------------------------------------- a birth that is not known


def silent_after_birth(run: Run) -> None:
    """`up` is killed when clients are let in, before Pulumi knows; the next one hears nobody.

    It must not take that for a birth that has failed: those members hold what was acknowledged.
    """
    stack = run.stack
    with run.first_up() as up:
        up.wait_for("is born", _UP_SECONDS)
        run.wait_for_a_write()
    mark = stack.birth_mark(SEEDS[0])
    _forget_the_birth(run)
    since = time.time_ns()
    with run.background_up() as again:
        with _all_silent(run):
            until(
                "`up` looks for the cluster",
                lambda: "[discovery]" in again.output or not again.running,
                _START_SECONDS,
            )
            run.last(_SILENCE_SECONDS)
            assert again.running, f"it ended while nobody could answer:\n{again.output}"
        again.must_succeed(_UP_SECONDS)
    run.record("nobody answers the `up` after a birth", None, since_ns=since)
    assert stack.birth_mark() == mark, "another cluster was born in the place of the one there was"


def _forget_the_birth(run: Run) -> None:
    """Pulumi's state as it is after a kill just before the birth was noted in it."""
    stack = run.stack
    this = ("--stack", stack.name)
    shown = json.loads(stack.run("pulumi", "stack", "export", *this, check=True).output)
    (urn,) = [
        r["urn"] for r in shown["deployment"]["resources"] if r["type"].endswith("etcd:Discovery")
    ]
    stack.run("pulumi", "state", "delete", urn, "--target-dependents", "--yes", *this, check=True)


@contextmanager
def _all_silent(run: Run) -> Generator[None]:
    """Every etcd that runs stands still."""
    with ExitStack() as silence:
        for pod in run.cluster.pods():
            with suppress(NotRunningError):
                silence.enter_context(stopped(run.cluster.container(pod).etcd()))
        yield


# ---------------------------------------------------------------- a token used twice


def token_used_twice(run: Run) -> None:
    """Somebody brings everything of the bootstrap back, after the handover: empty seeds, the used
    token, the discovery service. They form a cluster, with the same ID even; nobody is led to it.
    """
    stack, cluster = run.stack, run.cluster
    since, began = time.time_ns(), time.monotonic()
    try:
        _bring_back(run)
        until("the seeds' second cluster", lambda: _formed_again(cluster), 90)
        ready: set[str] = set()
        with looking(lambda: ready.update(p for p in SEEDS if cluster.seems_ready(p))):
            # Each seed is asked for its readiness several times.
            run.last(15)
        assert not ready, f"clients were led to a second cluster: {sorted(ready)}"
    finally:
        for workload in ("etcd-seed", "etcd-discovery"):
            stack.kubectl("scale", "statefulset", workload, "--replicas=0")
        stack.kubectl("delete", "secret", "etcd-discovery", "--ignore-not-found")
        until("the end of the seeds", lambda: sorted(cluster.pods()) == sorted(UNITS), 60)
    what = "seeds started again with the used token"
    run.record(what, None, since_ns=since, gap=0.2)
    run.notes.append(f"the second cluster was there within {time.monotonic() - began:.0f} s")


def _bring_back(run: Run) -> None:
    stack, cluster = run.stack, run.cluster
    shown = json.loads(
        stack.run("pulumi", "stack", "export", "--show-secrets", "--stack", stack.name).output
    )
    resources = shown["deployment"]["resources"]
    (held,) = [r["outputs"]["token"] for r in resources if r["type"].endswith("etcd:Discovery")]
    token = json.loads(held["plaintext"])
    endpoint = f"http://etcd-discovery.{stack.namespace}.svc.cluster.local:2379"
    content = {"protocol": "v3", "token": token, "endpoint": endpoint}
    literals = [f"--from-literal={key}={value}" for key, value in content.items()]
    stack.kubectl("create", "secret", "generic", "etcd-discovery", *literals)
    for workload, count in (("etcd-discovery", 1), ("etcd-seed", 3)):
        stack.kubectl("scale", "statefulset", workload, f"--replicas={count}")
    for pod in (_DISCOVERY, *SEEDS):
        until(f"pod {pod}", lambda pod=pod: pod in cluster.pods(), 30)
        gates = '{"spec":{"schedulingGates":null}}'
        stack.kubectl("patch", "pod", pod, "--type=merge", "--patch", gates)
    _container(cluster, SEEDS[0])
    size = ("put", f"/_etcd/registry/{token}/_config/size", "3")
    etcdctl = ("etcdctl", f"--endpoints={endpoint}", "--command-timeout=1s")
    until(
        "the size key",
        lambda: "OK" in stack.kubectl("exec", SEEDS[0], "--", *etcdctl, *size, check=False),
        60,
    )


def _formed_again(cluster: Cluster) -> bool:
    return len(cluster.said(SEEDS)) == len(SEEDS)


def _variant(letter: str, title: str, play: Callable[[Run], None]) -> Scenario:
    return Scenario(f"16{letter}", title, play, from_nothing=True)


SCENARIOS = (
    _variant("a", "seed killed before discovery", seed_killed_before),
    _variant("b", "seed killed during discovery", seed_killed_during),
    _variant("c", "seed killed after discovery", seed_killed_after),
    _variant("d", "discovery service killed before discovery", discovery_killed_before),
    _variant("e", "discovery service killed during discovery", discovery_killed_during),
    _variant("f", "discovery service lost during discovery", discovery_lost_during),
    _variant("g", "discovery service killed after discovery", discovery_killed_after),
    Scenario("16h", "token used twice", token_used_twice),
    _variant("i", "nobody answers after a birth that Pulumi does not know", silent_after_birth),
)
