"""Through which proxy the Kubernetes API is reached; a proxy and an API server on loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from components.kube.client import Kube
from components.kube.connection import connected, proxy_of
from components.kube.errors import NoExecError
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
            "https://10.0.0.1", "", {"https": "proxy:3128"}, PROXY, id="a name without a scheme"
        ),
        pytest.param(
            "https://10.0.0.1",
            "",
            {"https": "me:secret@10.0.0.2:3128"},
            "http://me:secret@10.0.0.2:3128",
            id="an address without a scheme",
        ),
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


@pytest.mark.parametrize(
    "proxy",
    [
        pytest.param("socks5://127.0.0.1:1080", id="another kind"),
        pytest.param("127.0.0.1:1080", id="without a scheme, which kubectl refuses there, too"),
        pytest.param("http://127.0.0.1:port", id="no address"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_clear_error(proxy: str) -> None:
    with pytest.raises(SequenceError) as failure:
        connected(through(proxy), "here", patient=False)
    assert f"proxy-url of context here is {proxy}," in failure.value.problem
    assert failure.value.next_step == "correct proxy-url of context here, then pulumi up"


def test_a_variable_that_names_no_such_proxy_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_proxies(monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:s3cret@127.0.0.1:1080")
    with pytest.raises(SequenceError) as failure:
        connected(kubeconfig("https://10.255.0.1"), "here", patient=False)
    assert "variable HTTPS_PROXY is socks5://127.0.0.1:1080," in failure.value.problem
    assert "s3cret" not in str(failure.value)
    assert failure.value.next_step == "correct the variable HTTPS_PROXY, then pulumi up"


class Tunnels:
    """A proxy that refuses every tunnel, and notes for what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._refuse, daemon=True).start()

    def _refuse(self) -> None:
        while True:
            try:
                taken, _ = self._listening.accept()
            except OSError:
                return
            with taken:
                head = taken.recv(65536).decode()
                lines = head.splitlines()
                found = [x for x in lines if x.lower().startswith(("connect", "proxy-auth"))]
                self.asked += [x.partition(" HTTP/")[0] for x in found]
                taken.sendall(b"HTTP/1.1 403 not through me\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def tunnels(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tunnels]:
    without_proxies(monkeypatch)
    found = Tunnels()
    yield found
    found.close()


@pytest.mark.parametrize("server", ["http://10.255.0.1:8080", "https://10.255.0.1:8080"])
def test_a_command_goes_through_the_proxy_that_all_else_goes_through(
    server: str, tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kubeconfig's, although NO_PROXY has the host; with the whole of its password."""
    monkeypatch.setenv("NO_PROXY", "10.255.0.1")
    text = through(f"http://me:a%3Ab@127.0.0.1:{tunnels.port}", server)
    with pytest.raises(NoExecError, match="403 not through me"):
        Kube(text, Site(**SITE), patient=False).exec("etcd-0", "etcdctl", seconds=1)
    assert tunnels.asked[0] == "CONNECT 10.255.0.1:8080"
    assert tunnels.asked[1].lower() == "proxy-authorization: basic bwu6ytpi"


def test_a_command_goes_through_a_proxy_of_the_environment_without_a_scheme(
    tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{tunnels.port}")
    kube = Kube(kubeconfig("https://10.255.0.1"), Site(**SITE), patient=False)
    with pytest.raises(NoExecError, match="403 not through me"):
        kube.exec("etcd-0", "etcdctl", seconds=1)
    assert tunnels.asked == ["CONNECT 10.255.0.1:443"]


def test_a_command_to_this_machine_goes_through_no_proxy(
    tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{tunnels.port}")
    with Kubernetes.running() as api:
        kube = Kube(kubeconfig(api.url), Site(**SITE), patient=False)
        with pytest.raises(NoExecError, match="Handshake status 404"):
            kube.exec("etcd-0", "etcdctl", seconds=1)
    assert not tunnels.asked
