"""A restart in a rolling change is an eviction, which the units' budget must allow.

The API server is one on loopback; the loop and its rule are real.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from kubernetes.client import ApiException

from components import progress
from components.change import restarts
from components.change.loop import Loop
from components.change.plan import Done
from components.kube.client import Kube
from components.kube.eviction import DeferredError
from components.progress import Progress, SequenceError
from components.site import Site
from containers.etcd.supervisor.membership import View
from tests.support import namespace
from tests.support.answers import Reply, serving
from tests.support.dynamic import SITE
from tests.support.kubernetes_api import Kubernetes, kubeconfig
from tests.support.units import GOAL, NOW, SETTLED, UNITS, pods
from tests.support.views import view

HERE = Site(**SITE)
EVICTION = "POST /api/v1/namespaces/etcd/pods/etcd-2/eviction"
WHY = (
    "the PodDisruptionBudget allows no disruption now: "
    "The disruption budget etcd needs 2 healthy pods and has 2 currently"
)


def roll(kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch, seconds: int = 60) -> list[str]:
    """A rolling change until its first restart was taken; returns what it has asked to change."""

    def look(_loop: Loop) -> View:
        return view(UNITS)

    def decide(seen: View, _now: float) -> restarts.Step:
        return Done() if taken else restarts.next_restart(GOAL, seen, SETTLED, NOW, pods())

    def act(step: restarts.Change, seen: View) -> None:
        loop.take(step, seen)
        taken.append(step)

    taken = list[restarts.Change]()
    monkeypatch.setattr(progress, "SILENCE_SECONDS", 0)
    monkeypatch.setattr(Loop, "look", look)
    unseen: Any = None
    kube = Kube(kubeconfig(kubernetes.url), HERE)
    loop = Loop(kube, unseen, Progress("rollout", seconds), GOAL, unseen)
    loop.pods = [namespace.pod(f"etcd-{i}", ready=True, template="r1") for i in range(3)]
    loop.run(decide, act)
    return kubernetes.touched


def test_it_waits_while_the_budget_allows_nobody_to_go_and_then_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another unit is away, in a drain, or the budget does not know that the last one is back."""
    with Kubernetes.running(put_off=2) as kubernetes:
        assert roll(kubernetes, monkeypatch) == [EVICTION] * 3, "and nothing was deleted"
    assert capsys.readouterr().out.count(f"waiting: {WHY}\n") == 2


def test_at_its_deadline_it_says_what_it_has_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with Kubernetes.running(put_off=9) as kubernetes:
        with pytest.raises(SequenceError, match="not balanced after -1 s: ") as failure:
            roll(kubernetes, monkeypatch, seconds=-1)
        assert kubernetes.touched == [EVICTION]
    assert failure.value.problem.endswith(WHY)


# ---------------------------------------------------------------- what Kubernetes answers

UNIT = namespace.pod("etcd-2", ready=True)
SEVERAL = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
    "support."
)
WEBHOOK = 'admission webhook "drain.example.com" denied the request: it is moved'


def evict(answer: Reply) -> list[str]:
    """What is asked when one unit is evicted and this is the answer."""
    with serving(answer) as server:
        Kube(kubeconfig(server.url), HERE).evict_pod(UNIT)
    return server.asked


def test_that_very_pod_is_meant() -> None:
    """Where the answer is lost and it is asked again, one of the same name may have come up."""
    bodies = list[Any]()

    def respond(_method: str, _path: str, body: str) -> Reply:
        bodies.append(json.loads(body))
        return Reply(201, '{"status": "Success"}', {"Content-Type": "application/json"})

    with serving(respond) as server:
        Kube(kubeconfig(server.url), HERE).evict_pod(UNIT)
    (eviction,) = bodies
    assert (eviction["apiVersion"], eviction["kind"]) == ("policy/v1", "Eviction")
    assert eviction["metadata"] == {"name": "etcd-2"}
    assert eviction["deleteOptions"] == {"preconditions": {"uid": "uid-of-etcd-2"}}
    assert evict(Kubernetes.status(409, "another UID")) == [EVICTION]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(Kubernetes.no_disruption(), WHY, id="the budget"),
        pytest.param(
            Reply(429, "Too many requests, please try again later.\n", {"Retry-After": "1"}),
            "Kubernetes does not evict etcd-2 for now: 429 Too Many Requests",
            id="an API server that is busy",
        ),
        pytest.param(
            Kubernetes.status(429, WEBHOOK),
            f"Kubernetes does not evict etcd-2 for now: {WEBHOOK}",
            id="a webhook",
        ),
    ],
)
def test_a_refusal_that_may_pass_is_told_in_kubernetes_own_words(answer: Reply, told: str) -> None:
    with pytest.raises(DeferredError) as refusal:
        evict(answer)
    assert str(refusal.value) == told


@pytest.mark.parametrize("code", [201, 500])
def test_a_budget_of_others_over_the_units_ends_the_change(code: int) -> None:
    """The API server sends that refusal with 201; only the Status in it says 500."""
    answer = Reply(code, Kubernetes.status(500, SEVERAL).body)
    with pytest.raises(SequenceError) as refusal:
        evict(answer)
    assert refusal.value.problem == (
        f"Kubernetes evicts pod etcd-2 for nobody (context here, namespace etcd): {SEVERAL}"
    )
    assert "let only PodDisruptionBudget etcd select the pods" in refusal.value.next_step


def test_any_other_refusal_is_one_as_ever() -> None:
    with pytest.raises(ApiException):
        evict(Kubernetes.status(500, "etcdserver: request timed out"))
