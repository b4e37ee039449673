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

import os
from typing import Any

from google.protobuf import empty_pb2

from lab.plugins.docker_build import Docker, DockerError
from lab.plugins.image_inputs import (
    changed_inputs,
    checked_build,
    login_of,
    recipe_of,
    repo_digest,
)
from lab.plugins.protocol import (
    StandIn,
    fail,
    messages,
    say,
    serve,
    struct,
    type_of,
    values,
)

TYPE = "docker:index/image:Image"


class ImageServicer(StandIn):
    """The provider protocol for images."""

    package = "pulumi-docker"

    def __init__(self, docker: Docker) -> None:
        self._docker = docker

    def Configure(self, request: Any, context: Any) -> Any:
        # No preview support: the engine then takes all outputs of a new image as unknown.
        return messages.ConfigureResponse(supportsPreview=False)

    def Check(self, request: Any, context: Any) -> Any:
        """Fill in defaults and the digest of the build context, by which a change is seen."""
        _require_image(request.urn, context)
        inputs = values(request.news)
        build, failures = checked_build(inputs.get("build") or {})
        return messages.CheckResponse(
            inputs=struct({**inputs, "build": build}),
            failures=[messages.CheckFailure(property=p, reason=r) for p, r in failures],
        )

    def Diff(self, request: Any, context: Any) -> Any:
        old, new = values(request.old_inputs), values(request.news)
        changed = changed_inputs(old, new)
        kinds = messages.DiffResponse
        return kinds(
            changes=kinds.DIFF_SOME if changed else kinds.DIFF_NONE,
            diffs=changed,
        )

    def Create(self, request: Any, context: Any) -> Any:
        outputs = self._make(values(request.properties), context)
        return messages.CreateResponse(id=outputs["imageName"], properties=struct(outputs))

    def Update(self, request: Any, context: Any) -> Any:
        outputs = self._make(values(request.news), context)
        return messages.UpdateResponse(properties=struct(outputs))

    def Read(self, request: Any, context: Any) -> Any:
        # As the official plugin: the state is what was built, not what a registry has now.
        return messages.ReadResponse(
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
            fail(context, str(error))
        return {
            "baseImageName": recipe.image_name,
            "context": str(inputs["build"]["context"]),
            "dockerfile": str(inputs["build"]["dockerfile"]),
            "imageName": recipe.image_name,
            "platform": f"{image['Os']}/{image['Architecture']}",
            "registryServer": login.server or recipe.registry,
            "repoDigest": repo_digest(recipe, image),
        }


def _require_image(urn: str, context: Any) -> None:
    found = type_of(urn)
    if found != TYPE:
        fail(
            context,
            f"{found} is not served by the stand-in of the Docker plugin; it serves {TYPE} alone.\n"
            "Next: use the official Docker plugin: pulumi plugin install resource docker",
        )


def main() -> None:
    """Serve until the CLI ends."""
    docker = Docker(os.environ.get("DOCKER_CLIENT", "docker"), say)
    serve(ImageServicer(docker), docker.cancel)


if __name__ == "__main__":
    main()
