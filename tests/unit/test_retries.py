"""A Kubernetes API that is away for a moment, and one that stays away; a server on loopback."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from kubernetes.client import ApiException
from urllib3 import HTTPResponse

from components.dynamic.provider import DynamicProvider
from components.kube import connection, retries
from components.kube.client import Kube
from components.progress import SequenceError
from components.site import Site
from tests.support.answers import Reply, serving
from tests.support.dynamic import ASKING, AT_ONCE, SITE, inputs
from tests.support.kubernetes_api import Kubernetes, kubeconfig
from tests.support.ports import free_port

BUSY = Kubernetes.status(503, "the server is currently unable to handle the request")
TROUBLED = Kubernetes.status(500, "Internal error occurred: failed calling webhook")
HERE = Site(**SITE)
DONE = Reply(200, '{"metadata": {}, "items": []}', {"Content-Type": "application/json"})
THIS: Any = SimpleNamespace(metadata=SimpleNamespace(name="etcd-0", uid="first"))
"""A pod, or a claim."""

CALLS: dict[str, Callable[[Kube], Any]] = {
    "GET": lambda kube: kube.pods("etcd"),
    "PATCH": lambda kube: kube.scale("etcd", 3),
    "DELETE": lambda kube: kube.delete_volume(THIS),
    "POST": lambda kube: kube.write_secret("etcd-discovery", {}),
}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.002)
    monkeypatch.setattr(retries, "LONGEST_PAUSE_SECONDS", 0.01)


def refusal(code: int) -> Callable[[str, str, str], Reply]:
    """Kubernetes' own, to whatever it is asked."""

    def respond(_method: str, path: str, _body: str) -> Reply:
        return Kubernetes.missed(path) if code == 404 else Kubernetes.status(code, "no")

    return respond


def answering(replies: Iterator[Reply]) -> Callable[[str, str, str], Reply]:
    return lambda _method, _path, _body: next(replies)


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
@pytest.mark.parametrize(
    "away", [BUSY, TROUBLED, Reply(429), Reply(closes=True)], ids=["503", "500", "429", "cut"]
)
def test_an_api_that_comes_back_is_no_failure(
    call: Callable[[Kube], Any], away: Reply, capsys: pytest.CaptureFixture[str]
) -> None:
    replies = chain(repeat(away, 4), repeat(DONE))
    with serving(answering(replies)) as server:
        call(Kube(kubeconfig(server.url), HERE))
    assert len(server.asked) == 5
    assert len(set(server.asked)) == 1
    assert capsys.readouterr().out.count("no answer from the API, asking again: ") == 3


def test_one_that_was_away_once_is_not_worth_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(answering(chain([Reply(closes=True)], repeat(DONE)))) as server:
        Kube(kubeconfig(server.url), HERE).pods("etcd")
    assert capsys.readouterr().out == ""


def test_one_that_stays_away_is_told_in_its_own_words_in_the_end() -> None:
    with serving(BUSY) as server, pytest.raises(ApiException) as failure:
        Kube(kubeconfig(server.url), HERE).pods("etcd")
    assert "currently unable" in str(failure.value.body)
    assert len(server.asked) == retries.ATTEMPTS


@pytest.mark.parametrize("code", [401, 403, 404, 409, 422])
def test_what_will_not_get_better_is_asked_once(code: int) -> None:
    with serving(refusal(code)) as server, pytest.raises(ApiException):
        Kube(kubeconfig(server.url), HERE).pods("etcd")
    assert len(server.asked) == 1


def test_an_eviction_that_a_budget_does_not_allow_is_no_api_that_is_away(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whether the pod is still to go is for its sequence to say, before it is asked again."""
    with serving(Kubernetes.no_disruption()) as server:
        core = Kube(kubeconfig(server.url), HERE).core
        with pytest.raises(ApiException) as failure:
            core.create_namespaced_pod_eviction("etcd-2", "etcd", {})
    assert failure.value.status == 429
    assert "DisruptionBudget" in str(failure.value.body)
    assert len(server.asked) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("cause", "attempts"),
    [
        (ssl.SSLCertVerificationError("self-signed certificate"), 0),
        (ssl.SSLError("PEM lib"), 0),
        (ssl.SSLEOFError("EOF occurred in violation of protocol"), retries.ATTEMPTS - 1),
    ],
    ids=["their certificate", "ours", "a handshake that was cut"],
)
def test_a_certificate_that_is_no_good_is_shown_once(cause: ssl.SSLError, attempts: int) -> None:
    left, error = retries.Retries.about_a_minute(), urllib3.exceptions.SSLError(cause)
    for _ in range(attempts):
        left = left.increment("GET", "/", error=error)
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        left.increment("GET", "/", error=error)


def test_the_first_question_of_all_is_asked_without_patience() -> None:
    with serving(BUSY) as server, pytest.raises(ApiException):
        Kube(kubeconfig(server.url), HERE, patient=False).version()
    assert len(server.asked) == 1


def test_an_api_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", (0.2, 0.2))
    monkeypatch.setattr(retries, "ATTEMPTS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kube = Kube(kubeconfig(f"http://127.0.0.1:{silent.getsockname()[1]}"), HERE)
        with pytest.raises(urllib3.exceptions.HTTPError, match="timed out"):
            kube.pods("etcd")


@pytest.mark.parametrize(
    "kind", [k for k in ASKING if k not in AT_ONCE], ids=lambda kind: kind.__name__
)
def test_a_sequence_ends_with_one_clear_error_when_its_patience_does(
    kind: type[DynamicProvider], capsys: pytest.CaptureFixture[str]
) -> None:
    def work(url: str) -> str:
        with pytest.raises(SequenceError) as failure:
            kind().create(inputs(kind, url))
        return str(failure.value)

    gone = work(f"http://127.0.0.1:{free_port()}")
    assert "the Kubernetes API of context here does not answer" in gone
    assert "Next: kubectl --context here version" in gone
    told = capsys.readouterr().out.count("no answer from the API, asking again: ")
    assert told == retries.ATTEMPTS - 2
    with serving(BUSY) as server:
        busy = work(server.url)
    assert "Kubernetes refuses (context here, namespace etcd): the server is currently" in busy


def test_the_pauses_are_about_a_minute_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    left, pauses = retries.Retries.about_a_minute(), [0.0]
    for _ in range(retries.ATTEMPTS - 1):
        left = left.increment("GET", "/", error=urllib3.exceptions.ProtocolError("cut"))
        pauses.append(left.get_backoff_time())
    assert 45 < sum(pauses) < 60
    # A line at each attempt after the second: where connections are refused, every 10 s or sooner.
    assert max(pauses) <= 10


@pytest.mark.parametrize(
    ("asked", "least"),
    [
        pytest.param("1", 45, id="shorter than the pauses of our own"),
        pytest.param("7", 80, id="longer"),
        pytest.param("3600", 90, id="longer than anybody waits"),
    ],
)
def test_what_the_api_asks_for_makes_no_pause_shorter(
    asked: str, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An API server that has too much to do says `Retry-After: 1`, however long that lasts."""
    monkeypatch.undo()
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    left, answer = retries.Retries.about_a_minute(), HTTPResponse(headers={"Retry-After": asked})
    for _ in range(retries.ATTEMPTS - 1):
        left = left.increment("GET", "/", response=answer)
        left.sleep(answer)
    assert pauses[0] >= 1
    assert least < sum(pauses) <= 100


@pytest.mark.parametrize("end", [Kube.delete_pod, Kube.delete_volume])
@pytest.mark.parametrize("code", [404, 409], ids=["it is gone", "another has come in its place"])
def test_what_is_deleted_is_so_once_however_often_it_is_asked_for(
    code: int, end: Callable[[Kube, Any], None]
) -> None:
    """Where an answer is lost, what came up in its place is not what was meant."""
    bodies: list[Any] = []

    def respond(method: str, path: str, body: str) -> Reply:
        bodies.append(json.loads(body))
        return Reply(closes=True) if len(bodies) == 1 else refusal(code)(method, path, body)

    with serving(respond) as server:
        end(Kube(kubeconfig(server.url), HERE), THIS)
    assert bodies == [{"preconditions": {"uid": "first"}}] * 2


def test_a_pod_that_may_not_be_ended_is_no_success() -> None:
    with serving(Kubernetes.status(403, "no")) as server, pytest.raises(ApiException):
        Kube(kubeconfig(server.url), HERE).delete_pod(THIS)
