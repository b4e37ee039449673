"""Stand-in for the Pulumi plugin of `pulumi_docker`, serving `docker:index/image:Image` alone.

Why: the official plugin is a download from Pulumi's own host and is not published as a Go module,
so it cannot be had where that host is out of reach. lab/pulumi_cli.py installs this one only there.
Everywhere else the official plugin is used, and this file never runs.

It does what the official one does for such an image: the build and the push are real, by the real
Docker Engine, and the outputs are the same. It differs in this: it takes no provider configuration,
and a preview never builds.

The process speaks Pulumi's provider protocol (sdk/proto/pulumi/provider.proto) on a port that it
prints. Run by the CLI as `python -m lab.plugins.docker_image ENGINE_ADDRESS`; `DOCKER_CLIENT` is
the Docker client to use.
"""
# ruff: noqa: N802 - the methods of a servicer have the names of the protocol.

import importlib.util
import os
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2

from lab.plugins.docker_build import Docker, DockerError
from lab.plugins.image_inputs import (
    changed_inputs,
    checked_build,
    login_of,
    recipe_of,
    repo_digest,
)


def _import_protocol() -> tuple[Any, Any]:
    """Import the generated protocol of the SDK without the SDK itself.

    Every run of the CLI waits for this process; the SDK's own __init__ would double its start.
    """
    spec = importlib.util.find_spec("pulumi")
    if not spec or not spec.origin:
        raise ImportError("this Python has no pulumi")
    for name in ("pulumi", "pulumi.runtime"):
        package = types.ModuleType(name)
        package.__path__ = [str(Path(spec.origin).parent.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    messages = importlib.import_module("pulumi.runtime.proto.provider_pb2")
    service = importlib.import_module("pulumi.runtime.proto.provider_pb2_grpc")
    return messages, service


_messages, _service = _import_protocol()
_plugin = importlib.import_module("pulumi.runtime.proto.plugin_pb2")

VERSION = "5.2.0+standin"
TYPE = "docker:index/image:Image"


class ImageServicer(_service.ResourceProviderServicer):
    """The provider protocol for images. Method names are the protocol's."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return _plugin.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return _messages.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return _messages.DiffResponse(changes=_messages.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        # No preview support: the engine then takes all outputs of a new image as unknown.
        return _messages.ConfigureResponse(supportsPreview=False)

    def Check(self, request: Any, context: Any) -> Any:
        """Fill in defaults and the digest of the build context, by which a change is seen."""
        _require_image(request.urn, context)
        inputs = _values(request.news)
        build, failures = checked_build(inputs.get("build") or {})
        return _messages.CheckResponse(
            inputs=_struct({**inputs, "build": build}),
            failures=[_messages.CheckFailure(property=p, reason=r) for p, r in failures],
        )

    def Diff(self, request: Any, context: Any) -> Any:
        old, new = _values(request.old_inputs), _values(request.news)
        changed = changed_inputs(old, new)
        kinds = _messages.DiffResponse
        return kinds(
            changes=kinds.DIFF_SOME if changed else kinds.DIFF_NONE,
            diffs=changed,
        )

    def Create(self, request: Any, context: Any) -> Any:
        outputs = self._make(_values(request.properties), context)
        return _messages.CreateResponse(id=outputs["imageName"], properties=_struct(outputs))

    def Update(self, request: Any, context: Any) -> Any:
        outputs = self._make(_values(request.news), context)
        return _messages.UpdateResponse(properties=_struct(outputs))

    def Read(self, request: Any, context: Any) -> Any:
        # As the official plugin: the state is what was built, not what a registry has now.
        return _messages.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    def Delete(self, request: Any, context: Any) -> Any:
        # As the official plugin: images stay in Engine and registry.
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        self._docker.cancel()
        return empty_pb2.Empty()

    def _make(self, inputs: dict[str, Any], context: Any) -> dict[str, Any]:
        recipe, login = recipe_of(inputs), login_of(inputs)
        try:
            self._docker.build(recipe)
            if not inputs.get("skipPush"):
                self._docker.push(recipe, login)
            image = self._docker.inspect(recipe)
        except DockerError as error:
            _fail(context, str(error))
        return {
            "baseImageName": recipe.image_name,
            "context": str(inputs["build"]["context"]),
            "dockerfile": str(inputs["build"]["dockerfile"]),
            "imageName": recipe.image_name,
            "platform": f"{image['Os']}/{image['Architecture']}",
            "registryServer": login.server or recipe.registry,
            "repoDigest": repo_digest(recipe, image),
        }


def _values(struct: Any) -> dict[str, Any]:
    return json_format.MessageToDict(struct)


def _struct(values: dict[str, Any]) -> Any:
    return json_format.ParseDict(values, struct_pb2.Struct())


def _require_image(urn: str, context: Any) -> None:
    found = urn.split("::")[2].rpartition("$")[2]
    if found != TYPE:
        _fail(
            context,
            f"{found} is not served by the stand-in of the Docker plugin; it serves {TYPE} alone.\n"
            "Next: use the official Docker plugin: pulumi plugin install resource docker",
        )


def _fail(context: Any, message: str) -> NoReturn:
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort has not raised")


def _end_with(parent: int, docker: Docker) -> None:
    """End this process when the CLI that started it is gone, even killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    docker.cancel()
    os._exit(0)


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    """Serve until the CLI ends."""
    parent = os.getppid()
    docker = Docker(os.environ.get("DOCKER_CLIENT", "docker"), _say)
    server = grpc.server(ThreadPoolExecutor(8))
    _service.add_ResourceProviderServicer_to_server(ImageServicer(docker), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # The protocol: the first line of the output is the port.
    _say(str(port))
    threading.Thread(target=_end_with, args=(parent, docker), daemon=True).start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
