"""Through which proxy the Kubernetes API is reached; a proxy and an API server on loopback."""

from __future__ import annotations

import json

import pytest

from components.kube.client import Kube
from components.kube.connection import connected, proxy_of
from components.progress import SequenceError
from components.site import Site
from tests.support.answers import Reply, serving
from tests.support.dynamic import SITE
from tests.support.kubernetes_api import Kubernetes, kubeconfig
from tests.support.ports import free_port

PROXY = "http://proxy:3128"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


@pytest.mark.parametrize(
    ("server", "named", "environment", "expected"),
    [
        pytest.param("https://10.0.0.1", "", {}, None, id="none"),
        pytest.param("https://10.0.0.1", "", {"https": PROXY}, PROXY, id="of the environment"),
        pytest.param("https://10.0.0.1", "", {"http": PROXY}, None, id="that of another scheme"),
        pytest.param(
            "https://10.0.0.1", PROXY, {"https": "http://x"}, PROXY, id="the kubeconfig's"
        ),
        pytest.param(
            "https://10.0.0.1:6443", "", {"https": PROXY, "no": "a,10.0.0.1"}, None, id="an address"
        ),
        pytest.param(
            "https://10.200.0.1:6443",
            "",
            {"https": PROXY, "no": "10.200.0.0/16"},
            None,
            id="a range",
        ),
        pytest.param(
            "https://k8s.corp.example",
            "",
            {"https": PROXY, "no": ".corp.example"},
            None,
            id="a domain",
        ),
        pytest.param(
            "https://10.0.0.1", PROXY, {"no": "10.0.0.1"}, PROXY, id="NO_PROXY is not for the named"
        ),
        pytest.param("https://127.0.0.1:6443", "", {"https": PROXY}, None, id="this machine"),
        pytest.param(
            "https://localhost:6443", "", {"https": PROXY}, None, id="this machine's name"
        ),
        pytest.param("https://[::1]:6443", "", {"https": PROXY}, None, id="this machine by IPv6"),
    ],
)
def test_the_proxy_is_the_one_that_kubectl_takes(
    server: str, named: str, environment: dict[str, str], expected: str | None
) -> None:
    assert proxy_of(server, named, environment) == expected


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def through(proxy: str, server: str = "http://10.255.0.1") -> str:
    """A kubeconfig whose cluster is reached through a proxy."""
    found = json.loads(kubeconfig(server))
    found["clusters"][0]["cluster"]["proxy-url"] = proxy
    return json.dumps(found)


def test_a_proxy_of_the_environment_is_not_asked_for_what_is_reached_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The official client takes it for all, and for https the one of http."""
    without_proxies(monkeypatch)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    with Kubernetes.running() as api:
        Kube(kubeconfig(api.url), Site(**SITE), patient=False).pods("etcd")


def test_the_kubeconfigs_proxy_is_asked_with_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)
    with serving(Reply(200, '{"items": []}', {"Content-Type": "application/json"})) as proxy:
        text = through(proxy.url.replace("http://", "http://me:s%40cret@"))
        client = connected(text, "here", patient=False)
        assert client.configuration.proxy_headers == {"proxy-authorization": "Basic bWU6c0BjcmV0"}
        Kube(text, Site(**SITE), patient=False).pods("etcd")
    assert proxy.asked == ["GET http://10.255.0.1/api/v1/namespaces/etcd/pods"]


def test_a_kind_of_proxy_that_cannot_be_used_is_one_clear_error() -> None:
    with pytest.raises(SequenceError, match=r"the kubeconfig cannot be used: .*socks5"):
        connected(through("socks5://127.0.0.1:1080"), "here", patient=False)
