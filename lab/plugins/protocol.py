"""Pulumi's provider protocol (sdk/proto/pulumi/provider.proto), as a stand-in serves it."""
# ruff: noqa: N802 - the methods of a servicer have the names of the protocol.

import importlib
import importlib.util
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, empty_pb2, json_format, struct_pb2


def _import_protocol() -> tuple[Any, Any, Any, Any]:
    """Import the generated protocol of the SDK without the SDK itself.

    Every run of the CLI waits for this process; the SDK's own __init__ would double its start.
    A process that has the SDK already, as a test has, keeps it.
    """
    spec = importlib.util.find_spec("pulumi")
    if not spec or not spec.origin:
        raise ImportError("this Python has no pulumi")
    for name in ("pulumi", "pulumi.runtime"):
        if name not in sys.modules:
            package = types.ModuleType(name)
            package.__path__ = [str(Path(spec.origin).parent.joinpath(*name.split(".")[1:]))]
            sys.modules[name] = package
    names = ("provider_pb2", "provider_pb2_grpc", "plugin_pb2", "status_pb2")
    provider, service, plugin, status = (
        importlib.import_module(f"pulumi.runtime.proto.{name}") for name in names
    )
    return provider, service, plugin, status


messages, _service, _plugin, _status = _import_protocol()


class StandIn(_service.ResourceProviderServicer):
    """What every stand-in answers alike. `package`: the SDK whose plugin it stands in for.

    Method names are the protocol's.
    """

    package: str

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return _plugin.PluginInfo(version=f"{version(self.package)}+standin")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return messages.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return messages.DiffResponse(changes=messages.DiffResponse.DIFF_NONE)

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


class _Status(grpc.Status):
    """An error with details, as `abort_with_status` takes it."""

    def __init__(self, code: grpc.StatusCode, details: str, metadata: tuple[Any, ...]) -> None:
        self.code, self.details, self.trailing_metadata = code, details, metadata


def values(struct: Any) -> dict[str, Any]:
    return json_format.MessageToDict(struct)


def struct(given: Mapping[str, Any]) -> Any:
    return json_format.ParseDict(dict(given), struct_pb2.Struct())


def type_of(urn: str) -> str:
    """Return the type token of a resource, without those of its parents."""
    return urn.split("::")[2].rpartition("$")[2]


def fail(context: Any, message: str) -> NoReturn:
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort has not raised")


def fail_half_made(
    context: Any, message: str, id_: str, properties: Mapping[str, Any], inputs: Mapping[str, Any]
) -> NoReturn:
    """Fail a create or update after which the object is there: the engine notes it all the same."""
    details = messages.ErrorResourceInitFailed(
        id=id_, properties=struct(properties), inputs=struct(inputs), reasons=[message]
    )
    packed = any_pb2.Any()
    packed.Pack(details)
    code = grpc.StatusCode.UNKNOWN
    status = _status.Status(code=code.value[0], message=message, details=[packed])
    metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    context.abort_with_status(_Status(code, message, metadata))
    raise AssertionError("abort has not raised")


def serve(servicer: Any, at_end: Callable[[], None] = lambda: None) -> None:
    """Serve until the CLI interrupts this process or ends, even killed; then call `at_end`."""
    parent = os.getppid()
    server = grpc.server(ThreadPoolExecutor(8))
    _service.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # The protocol: the first line of the output is the port.
    say(str(port))
    threading.Thread(target=_end_with, args=(parent, at_end), daemon=True).start()
    # An interrupt is how the engine ends a plugin (Plugin.Close): no reason for a traceback, which
    # the engine would show to people as that of a crash. Asked for, since who runs `make` in the
    # background of a script hands down that interrupts are ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        server.wait_for_termination()
    at_end()


def say(line: str) -> None:
    print(line, flush=True)


def _end_with(parent: int, at_end: Callable[[], None]) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    at_end()
    os._exit(0)
