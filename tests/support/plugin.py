"""The real process that Pulumi runs dynamic resources in, asked by gRPC as the engine asks it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2 as proto
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_KEY = "__provider"
_SECONDS = 120.0
_DECORATION = "Exception calling application: "
"""What gRPC's Python server writes before the text of an exception."""


class RefusedError(Exception):
    """The plugin answered with an error; the text is what the engine shows to the user."""


@dataclass(frozen=True)
class Answer:
    """A resource as the plugin describes it."""

    id: str
    outs: dict[str, Any]


class Plugin:
    """One plugin process. Everything it prints is kept."""

    def __init__(self, stub: ResourceProviderStub, output: Path) -> None:
        self._stub = stub
        self._output = output
        self._known = 0
        self.turn_page()

    def turn_page(self) -> None:
        """Forget what the process has printed up to now."""
        self._known = self._output.stat().st_size

    def said(self) -> str:
        """What the process has printed on both streams since the page was turned."""
        return self._output.read_bytes()[self._known :].decode()

    def configure(self, config: Mapping[str, str]) -> None:
        self._call("Configure", proto.ConfigureRequest(args=_struct(config)))

    def check(
        self,
        provider: ResourceProvider,
        news: Mapping[str, Any],
        olds: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Return the failures. `olds` are the inputs of the run before."""
        before = _struct({}) if olds is None else _struct(olds, provider)
        request = proto.CheckRequest(olds=before, news=_struct(news, provider))
        return [f.reason for f in self._call("Check", request).failures]

    def diff(
        self, provider: ResourceProvider, olds: Mapping[str, Any], news: Mapping[str, Any]
    ) -> tuple[bool, list[str]]:
        """Return whether the engine sees a change, and the keys that replace the resource."""
        answer = self._call(
            "Diff",
            proto.DiffRequest(id="x", olds=_struct(olds, provider), news=_struct(news, provider)),
        )
        assert answer.changes != proto.DiffResponse.DIFF_UNKNOWN, "the engine would guess"
        return answer.changes == proto.DiffResponse.DIFF_SOME, list(answer.replaces)

    def create(self, provider: ResourceProvider, props: Mapping[str, Any]) -> Answer:
        request = proto.CreateRequest(properties=_struct(props, provider))
        return _answer(self._call("Create", request))

    def update(
        self, provider: ResourceProvider, olds: Mapping[str, Any], news: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the new outputs."""
        request = proto.UpdateRequest(
            id="x", olds=_struct(olds, provider), news=_struct(news, provider)
        )
        return _outs(self._call("Update", request).properties)

    def read(self, provider: ResourceProvider, id_: str, outs: Mapping[str, Any]) -> Answer:
        request = proto.ReadRequest(id=id_, properties=_struct(outs, provider))
        return _answer(self._call("Read", request))

    def delete(self, provider: ResourceProvider, outs: Mapping[str, Any]) -> None:
        self._call("Delete", proto.DeleteRequest(id="x", properties=_struct(outs, provider)))

    def _call(self, method: str, request: Any) -> Any:
        try:
            return getattr(self._stub, method)(request, timeout=_SECONDS)
        except grpc.RpcError as error:
            details = str(cast("grpc.Call", error).details())
            raise RefusedError(details.removeprefix(_DECORATION)) from None


@contextmanager
def plugin(directory: Path, env: Mapping[str, str] | None = None) -> Generator[Plugin]:
    """A plugin process as Pulumi starts it, from the program's folder; ended at the end."""
    output = directory / "plugin.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.dynamic", "engine"],
            cwd=_CHECKOUT,
            env=env,
            stdout=log,
            stderr=log,
        )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{_port(process, output)}") as channel:
            yield Plugin(ResourceProviderStub(channel), output)
    finally:
        process.kill()
        process.wait()


def _port(process: subprocess.Popen[bytes], output: Path) -> int:
    """The first line that the plugin prints."""
    while process.poll() is None:
        line, end, _ = output.read_text().partition("\n")
        if end:
            return int(line)
        time.sleep(0.05)
    raise RuntimeError(f"the plugin ended: {output.read_text()}")


def _struct(values: Mapping[str, Any], provider: ResourceProvider | None = None) -> Struct:
    struct = Struct()
    struct.update(dict(values))
    if provider is not None:
        struct.update({_KEY: serialize_provider(provider)})
    return struct


def _answer(response: Any) -> Answer:
    return Answer(response.id, _outs(response.properties))


def _outs(properties: Struct) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(properties)
    assert found.pop(_KEY), "without it the engine could not call the provider again"
    return found
