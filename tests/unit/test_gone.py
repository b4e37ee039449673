"""What somebody, or Kubernetes itself, deletes between a look at it and a change of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from components.kube.client import Kube
from components.kube.errors import plain_errors
from components.names import GATE
from components.progress import SequenceError
from components.site import Site
from tests.support.answers import Reply, serving
from tests.support.dynamic import SITE
from tests.support.kubernetes_api import Kubernetes, kubeconfig

GATES = [SimpleNamespace(name=GATE)]
HELD: Any = SimpleNamespace(
    metadata=SimpleNamespace(name="etcd-seed-0", uid="1"),
    spec=SimpleNamespace(scheduling_gates=GATES),
)
CLAIM: Any = SimpleNamespace(metadata=SimpleNamespace(name="data-etcd-4", uid="2"))

CHANGES: dict[str, Callable[[Kube], None]] = {
    "the note on a volume": lambda kube: kube.annotate_volume("data-etcd-4", {"note": None}),
    "a volume": lambda kube: kube.delete_volume(CLAIM),
    "a label": lambda kube: kube.unlabel("etcd-seed-0", "serving"),
    "a gate": lambda kube: kube.release([HELD]),
    "a pod": lambda kube: kube.delete_pod(HELD),
    "a pod that is evicted": lambda kube: kube.evict_pod(HELD),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(("code", "fine"), [(404, True), (403, False)], ids=["gone", "forbidden"])
def test_what_is_gone_already_needs_no_change(
    change: Callable[[Kube], None], code: int, fine: bool
) -> None:
    site = Site(**SITE)

    def respond(_method: str, path: str, _body: str) -> Reply:
        return Kubernetes.missed(path) if code == 404 else Kubernetes.status(code, "no")

    def run() -> None:
        with plain_errors(site):
            change(Kube(kubeconfig(server.url), site))

    with serving(respond) as server:
        if fine:
            run()
        else:
            with pytest.raises(SequenceError, match="Kubernetes refuses"):
                run()


def test_a_gate_of_others_is_left_alone() -> None:
    queued = SimpleNamespace(name="kueue.x-k8s.io/admission")
    both = SimpleNamespace(
        metadata=HELD.metadata, spec=SimpleNamespace(scheduling_gates=[queued, *GATES])
    )
    theirs = SimpleNamespace(
        metadata=SimpleNamespace(name="etcd-seed-1"),
        spec=SimpleNamespace(scheduling_gates=[queued]),
    )
    said: list[tuple[str, str]] = []

    def respond(_method: str, path: str, body: str) -> Reply:
        said.append((path, body))
        return Reply(body="{}", headers={"Content-Type": "application/json"})

    with serving(respond) as server:
        Kube(kubeconfig(server.url), Site(**SITE)).release([both, theirs])
    ((path, body),) = said
    assert path.endswith("/pods/etcd-seed-0")
    # A strategic merge patch: an API server takes this one out of the list by its name.
    assert json.loads(body) == {"spec": {"schedulingGates": [{"$patch": "delete", "name": GATE}]}}


def workload(generation: int) -> Reply:
    """Its controller has come to the second generation."""
    status = {"replicas": 1, "updateRevision": "etcd-7c", "observedGeneration": 2}
    found = {"metadata": {"generation": generation}, "status": status}
    return Reply(body=json.dumps(found), headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("answer", "revision"),
    [
        pytest.param(workload(2), "etcd-7c", id="there"),
        pytest.param(workload(3), None, id="its controller has not observed it"),
        pytest.param(Kubernetes.missed("/statefulsets/etcd"), None, id="gone"),
    ],
)
def test_the_newest_template_is_told_once_kubernetes_knows_it(
    answer: Reply, revision: str | None
) -> None:
    with serving(answer) as server:
        assert Kube(kubeconfig(server.url), Site(**SITE)).newest_revision("etcd") == revision
