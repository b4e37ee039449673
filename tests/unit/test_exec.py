"""Commands in pods that cannot be run: a kubelet that does not answer, an API server that says no.

Both are servers on loopback.
"""

from __future__ import annotations

import json
import socket
from threading import Barrier
from typing import Any

import pytest

from components.kube import connection
from components.kube.client import Kube
from components.kube.errors import NoExecError
from components.progress import SequenceError
from components.site import Site
from tests.support.answers import Reply, serving
from tests.support.dynamic import SITE
from tests.support.kubernetes_api import kubeconfig
from tests.support.namespace import pod


def test_a_kubelet_that_stands_still_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are taken by its node, and the API server waits for its answer for ever."""
    monkeypatch.setattr(connection, "COMMAND_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kube = Kube(kubeconfig(f"http://127.0.0.1:{silent.getsockname()[1]}"), Site(**SITE))
        with pytest.raises(NoExecError, match=r"cannot run a command in pod etcd-0: .*timed out"):
            kube.exec("etcd-0", "etcdctl", "get", "key", seconds=1)


def refused(code: int, message: str, reason: str) -> Reply:
    """As the API server answers a handshake."""
    said = {"kind": "Status", "message": message, "reason": reason, "code": code}
    return Reply(code, json.dumps(said), {"Content-Type": "application/json"})


WEBHOOK = 'admission webhook "validate.kyverno.svc-fail" denied the request: no exec here'
GATEKEEPER = 'admission webhook "validation.gatekeeper.sh" denied the request: [no-exec] not here'
POLICY = (
    "pods \"etcd-0\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request"
)
RIGHT = 'pods "etcd-0" is forbidden: User "u" cannot create resource "pods/exec" in API group ""'
NO_NODE = "pod etcd-0 does not have a host assigned"
ENDED = "cannot exec into a container in a completed pod; current phase is Failed"
WEBHOOK_IS_DOWN = 'Internal error occurred: failed calling webhook "validate.kyverno.svc-fail"'


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        pytest.param(400, WEBHOOK, "", id="Kyverno"),
        pytest.param(403, GATEKEEPER, "", id="Gatekeeper"),
        pytest.param(422, POLICY, "Invalid", id="a ValidatingAdmissionPolicy"),
        pytest.param(403, RIGHT, "Forbidden", id="a right was taken away"),
    ],
)
def test_a_command_that_is_forbidden_is_the_end_in_kubernetes_own_words(
    code: int, message: str, reason: str
) -> None:
    with serving(refused(code, message, reason)) as api:
        kube = Kube(kubeconfig(api.url), Site(**SITE))
        with pytest.raises(SequenceError) as failure:
            kube.exec("etcd-0", "etcdctl", "get", "key")
    assert failure.value.problem.startswith("Kubernetes lets no command run in pod etcd-0 (")
    assert failure.value.problem.endswith(message)
    assert failure.value.next_step == "allow exec into the pods of namespace etcd, then pulumi up"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(refused(400, NO_NODE, "BadRequest"), id="no node yet"),
        pytest.param(refused(400, ENDED, "BadRequest"), id="it has ended"),
        pytest.param(refused(500, WEBHOOK_IS_DOWN, "InternalError"), id="a webhook is down"),
        pytest.param(refused(404, 'pods "etcd-0" not found', "NotFound"), id="no pod"),
        pytest.param(Reply(500, 'container not found ("etcd")'), id="a kubelet: no container"),
        pytest.param(Reply(403, "Forbidden (user=apiserver, verb=create)"), id="a kubelet: right"),
        pytest.param(Reply(403, "<html>Forbidden</html>"), id="a proxy"),
        pytest.param(Reply(403), id="no word"),
        pytest.param(Reply(403, "[]"), id="no Status"),
    ],
)
def test_a_command_that_cannot_be_run_now_may_be_run_later(reply: Reply) -> None:
    with serving(reply) as api:
        kube = Kube(kubeconfig(api.url), Site(**SITE))
        with pytest.raises(NoExecError, match="cannot run a command in pod etcd-0"):
            kube.exec("etcd-0", "etcdctl", "get", "key")


def test_supervisors_are_asked_at_once_and_none_that_is_well_or_cannot_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One after the other, each may keep the question for 10 s."""
    both = Barrier(2, timeout=10)

    def ask(_kube: Kube, name: str) -> dict[str, Any]:
        both.wait()
        return {"phase": f"of {name}"}

    def look(_kube: Kube, node: str) -> str | None:
        return "it is gone" if node == "dead" else None

    monkeypatch.setattr(Kube, "supervisor_status", ask)
    monkeypatch.setattr(Kube, "_node_problem", look)
    pods = [
        pod("etcd-0", ready=True),
        pod("etcd-1"),
        pod("etcd-2"),
        pod("etcd-3", waiting="CrashLoopBackOff"),
        pod("etcd-4"),
    ]
    pods[2].spec.node_name, pods[4].spec.node_name = "alive", "dead"
    found = Kube.__new__(Kube).supervisor_statuses(pods)
    assert found == {"etcd-1": {"phase": "of etcd-1"}, "etcd-2": {"phase": "of etcd-2"}}
    assert Kube.__new__(Kube).supervisor_statuses([]) == {}
