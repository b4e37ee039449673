"""The counter by which a sequence is cut after a certain call (scenario 17)."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.injection.cuts import VARIABLE, watched


def by_websocket(method: str) -> str:
    return f"{method} by websocket"


class Client:
    """Asks in one way, until somebody gives it another, as the official client's `stream` does."""

    def request(self, method: str) -> str:
        return f"{method} by REST"

    def call_api(self, _path: str, method: str) -> str:
        return self.request(method)


def test_calls_that_change_something_are_counted_and_commands_go_their_own_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))

    def execute(_pod: str, *_command: str) -> str:
        # As Kube.exec: by a copy, since commands run side by side.
        own: Any = copy(kube.core.api_client)
        own.request = by_websocket
        return own.call_api("/api/v1/namespaces/{namespace}/pods/a/exec", "GET")

    kube: Any = SimpleNamespace(core=SimpleNamespace(api_client=Client()), exec=execute)
    watched(kube, "scale")
    api = kube.core.api_client
    assert api.call_api("/api/v1/namespaces/{namespace}/pods", "GET") == "GET by REST"
    assert api.call_api("/api/v1/namespaces/{namespace}/pods", "DELETE") == "DELETE by REST"
    assert kube.exec("a", "etcdctl", "member", "list") == "GET by websocket"
    assert kube.exec("a", "etcdctl", "member", "remove", "7") == "GET by websocket"
    lines = (tmp_path / "scale.calls").read_text().splitlines()
    assert lines == ["DELETE pods", "etcdctl member remove"]
