"""The plugin's process: Pulumi's provider protocol on a port that it prints.

Run by the CLI as `python -m lab.plugins.gcp ENGINE_ADDRESS`. lab/gke.py says where the cloud's
folder, the lab's kubeconfig and kubectl are: GCP_CLOUD, GCP_KUBECONFIG, GCP_KUBECTL, GCP_REGISTRY.
"""
# ruff: noqa: N802 - the methods of a servicer have the names of the protocol.

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import empty_pb2

from lab.plugins.gcp import check
from lab.plugins.gcp.cloud import Cloud
from lab.plugins.gcp.diff import changes, deletes_first
from lab.plugins.gcp.errors import CloudError, shown
from lab.plugins.gcp.nodes import Node
from lab.plugins.gcp.operations import Made, Project
from lab.plugins.gcp.resource import ResourceType, Surroundings
from lab.plugins.gcp.types import TYPES
from lab.plugins.protocol import (
    StandIn,
    fail,
    fail_half_made,
    messages,
    serve,
    struct,
    type_of,
    values,
)


class GcpServicer(StandIn):
    """The provider protocol for Google's resources."""

    package = "pulumi-gcp"

    def __init__(self, project: Project, node: Node) -> None:
        self._project = project
        self._node = node

    def Configure(self, request: Any, context: Any) -> Any:
        given = values(request.args)
        around = self._project.around
        around = replace(
            around,
            project=str(given.get("project") or around.project),
            region=str(given.get("region") or around.region),
        )
        self._project = replace(self._project, around=around)
        return messages.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:
        kind = _kind(request.urn, context)
        inputs = check.with_defaults(kind, _inputs(request.news))
        return messages.CheckResponse(
            inputs=struct(inputs),
            failures=[
                messages.CheckFailure(property=path, reason=f"{path} {wrong}")
                for path, wrong in check.problems(kind, inputs)
            ],
        )

    def Diff(self, request: Any, context: Any) -> Any:
        kind = _kind(request.urn, context)
        old, new = _inputs(request.old_inputs), _inputs(request.news)
        found = changes(kind, old, new)
        answer, kinds = messages.DiffResponse, messages.PropertyDiff
        return answer(
            changes=answer.DIFF_SOME if found else answer.DIFF_NONE,
            diffs=sorted({change.top for change in found}),
            replaces=sorted({change.top for change in found if change.replaces}),
            deleteBeforeReplace=deletes_first(kind, old, new),
            hasDetailedDiff=True,
            detailedDiff={
                change.path: kinds(
                    kind=kinds.Kind.Value(change.kind.upper() + "_REPLACE" * change.replaces),
                    inputDiff=True,
                )
                for change in found
            },
        )

    def Create(self, request: Any, context: Any) -> Any:
        kind, inputs = _kind(request.urn, context), _inputs(request.properties)
        if request.preview:
            foreseen = self._project.foresee_create(kind, inputs)
            return messages.CreateResponse(properties=struct(foreseen))
        try:
            made = self._project.create(kind, inputs)
        except CloudError as error:
            fail(context, shown(str(error)))
        self._after(kind, made, inputs, context)
        return messages.CreateResponse(id=made.id, properties=struct(made.outputs))

    def Read(self, request: Any, context: Any) -> Any:
        kind = _kind(request.urn, context)
        found = self._project.read(kind, request.id)
        if found is None:
            return messages.ReadResponse()
        inputs, outputs = found
        return messages.ReadResponse(
            id=request.id, inputs=struct(inputs), properties=struct(outputs)
        )

    def Update(self, request: Any, context: Any) -> Any:
        kind, inputs = _kind(request.urn, context), _inputs(request.news)
        if request.preview:
            foreseen = self._project.foresee_update(kind, request.id, inputs)
            return messages.UpdateResponse(properties=struct(foreseen))
        try:
            made = self._project.update(kind, request.id, inputs)
        except CloudError as error:
            fail(context, shown(str(error)))
        self._after(kind, made, inputs, context)
        return messages.UpdateResponse(properties=struct(made.outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        kind, state = _kind(request.urn, context), values(request.properties)
        try:
            self._project.delete(kind, request.id, state)
        except CloudError as error:
            fail(context, shown(str(error)))
        if kind.name == "NodePool":
            self._node.leave(state, str(state["location"]))
        return empty_pb2.Empty()

    def _after(self, kind: ResourceType, made: Made, inputs: dict[str, Any], context: Any) -> None:
        if kind.name == "NodePool":
            self._node.join(inputs, str(made.outputs["location"]))
        if made.problem:
            fail_half_made(context, shown(made.problem), made.id, made.outputs, inputs)


def _kind(urn: str, context: Any) -> ResourceType:
    token = type_of(urn)
    if token not in TYPES:
        fail(
            context,
            f"{token} is not served by the stand-in of the gcp plugin; it serves "
            f"{', '.join(sorted(TYPES))}.\n"
            "Next: use the official plugin: pulumi plugin install resource gcp",
        )
    return TYPES[token]


def _inputs(given: Any) -> dict[str, Any]:
    """Without what the engine adds."""
    return {name: value for name, value in values(given).items() if not name.startswith("__")}


def _surroundings() -> Surroundings:
    content = yaml.safe_load(Path(os.environ["GCP_KUBECONFIG"]).read_text())
    cluster = content["clusters"][0]["cluster"]
    return Surroundings(
        project="",
        region="us-central1",
        server=str(cluster["server"]).removeprefix("https://"),
        certificate_authority=str(cluster["certificate-authority-data"]),
        registry=os.environ["GCP_REGISTRY"],
    )


def main() -> None:
    """Serve until the CLI ends."""
    node = Node(Path(os.environ["GCP_KUBECTL"]), Path(os.environ["GCP_KUBECONFIG"]))
    cloud = Cloud(Path(os.environ["GCP_CLOUD"]))
    serve(GcpServicer(Project(cloud, _surroundings()), node))


if __name__ == "__main__":
    main()
