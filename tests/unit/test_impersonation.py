"""A kubeconfig's user that acts as another: the sequences do so as kubectl and Pulumi's plugin."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from components.kube.client import Kube
from components.kube.impersonation import headers
from components.site import Site
from tests.support import websocket
from tests.support.dynamic import SITE
from tests.support.kubernetes_api import kubeconfig

ALICE = {
    "as": "alice",
    "as-uid": "7",
    "as-groups": ["admins", "of the team"],
    "as-user-extra": {"example.com/scope": ["one", "two"]},
}
SENT = [
    ("Impersonate-User", "alice"),
    ("Impersonate-Uid", "7"),
    ("Impersonate-Group", "admins"),
    ("Impersonate-Group", "of the team"),
    ("Impersonate-Extra-example.com%2Fscope", "one"),
    ("Impersonate-Extra-example.com%2Fscope", "two"),
]


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        pytest.param({"token": "t"}, [], id="for itself"),
        pytest.param({"as": "alice"}, [("Impersonate-User", "alice")], id="as another"),
        pytest.param(ALICE, SENT, id="with all that there is of one"),
        pytest.param({**ALICE, "as": ""}, [], id="as nobody, where the rest counts for nothing"),
        pytest.param(
            {"as": "a", "as-user-extra": {"50%_of Ü": ["x"]}},
            [("Impersonate-User", "a"), ("Impersonate-Extra-50%25_of%20%C3%9C", "x")],
            id="a name that no header may have is escaped",
        ),
        pytest.param(
            {"as": "a", "as-groups": None, "as-user-extra": None},
            [("Impersonate-User", "a")],
            id="without any group",
        ),
    ],
)
def test_who_is_acted_as_is_told_as_client_go_tells_it(
    user: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert headers(user) == expected


@dataclass
class Api:
    """It answers as Kubernetes, and notes who asks."""

    port: int = 0
    heard: list[list[tuple[str, str]]] = field(default_factory=list[list[tuple[str, str]]])

    def kube(self, **user: Any) -> Kube:
        found = json.loads(kubeconfig(f"http://127.0.0.1:{self.port}"))
        found["users"][0]["user"] |= user
        return Kube(json.dumps(found), Site(**SITE), patient=False)


@pytest.fixture
def api() -> Iterator[Api]:
    found = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            said = self.headers.items()
            found.heard.append([(k, v) for k, v in said if k.startswith("Impersonate-")])
            if "Upgrade" in self.headers:
                websocket.run(self, "done")
                return
            body = b'{"metadata": {"name": "etcd"}}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PATCH = do_GET  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("user", "expected"), [({}, []), (ALICE, SENT)], ids=["itself", "another"])
def test_every_question_and_every_command_is_asked_as_the_one_who_is_named(
    user: dict[str, Any], expected: list[tuple[str, str]], api: Api
) -> None:
    kube = api.kube(**user)
    kube.namespace()
    kube.unlabel("etcd-0", "a-label")
    assert kube.exec("etcd-0", "etcdctl", seconds=5) == "done"
    assert api.heard == [expected] * 3
