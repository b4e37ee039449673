"""Create, read, update and delete, as provider and API do them together."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

from lab.plugins.gcp import errors, faults
from lab.plugins.gcp.body import build
from lab.plugins.gcp.cloud import Cloud, Record, Resources
from lab.plugins.gcp.errors import CloudError, EndlessError, HalfMadeError, LostError
from lab.plugins.gcp.paths import merged, unknown
from lab.plugins.gcp.resource import Inputs, ResourceType, Surroundings, of


@dataclass(frozen=True)
class Made:
    """A resource as it is after an operation."""

    id: str
    outputs: dict[str, Any]
    problem: str = ""
    """Why the provider failed all the same."""


@dataclass(frozen=True)
class Project:
    """One project of the cloud, as a plugin process is configured for it.

    All methods raise CloudError, with the message for the user, when nothing was changed.
    """

    cloud: Cloud
    around: Surroundings

    def foresee_create(self, kind: ResourceType, inputs: Inputs) -> dict[str, Any]:
        """Return outputs for a preview: what is not an input is not known."""
        return merged(unknown(kind.outputs(inputs, _A_PATH, self.around)), inputs)

    def foresee_update(self, kind: ResourceType, id_: str, inputs: Inputs) -> dict[str, Any]:
        """Return outputs for a preview: an update in place does not change the computed ones."""
        return self._outputs(kind, id_, inputs)

    def create(self, kind: ResourceType, inputs: Inputs) -> Made:
        project = self._named(inputs)
        id_ = kind.identify(inputs, self.around)
        fault = faults.next_fault(self.cloud, kind, "create", id_, project)
        if isinstance(fault, CloudError):
            raise CloudError(self._worded(kind, id_, project, str(fault)))
        with self.cloud.changing() as there:
            parents = kind.parents(inputs, self.around)
            for parent in parents:
                if parent not in there:
                    raise CloudError(self._worded(kind, id_, project, errors.missing(parent)))
            if id_ in there and not kind.shared:
                raise CloudError(self._worded(kind, id_, project, errors.taken(kind, id_)))
            there[id_] = Record(
                type=kind.token,
                inputs=dict(inputs),
                body=build(inputs, kind.table).content,
                parents=parents,
            )
        return self._made(kind, id_, inputs, fault)

    def read(self, kind: ResourceType, id_: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return inputs and outputs as they are; None where there is no such resource."""
        record = self.cloud.resources().get(id_)
        if record is None or record["type"] != kind.token:
            return None
        return record["inputs"], self._outputs(kind, id_, record["inputs"])

    def update(self, kind: ResourceType, id_: str, inputs: Inputs) -> Made:
        fault = faults.next_fault(self.cloud, kind, "update", id_, self._named(inputs))
        if isinstance(fault, CloudError):
            raise CloudError(str(fault))
        with self.cloud.changing() as there:
            if id_ not in there:
                raise CloudError(errors.missing(id_))
            there[id_]["inputs"] = dict(inputs)
            there[id_]["body"] = build(inputs, kind.table).content
        return self._made(kind, id_, inputs, fault)

    def delete(self, kind: ResourceType, id_: str, state: Mapping[str, Any]) -> None:
        """Delete what is there; that it is gone already is no error.

        Protection is read from the state, as the provider does: lifting it takes an update first.
        """
        if kind.name == "Cluster" and state.get("deletionProtection") is not False:
            raise CloudError(errors.protected())
        if state.get("deletionPolicy") == "PREVENT":
            raise CloudError(errors.prevented(kind))
        if state.get("deletionPolicy") == "ABANDON":
            return
        project = str(state.get("project") or self.around.project)
        fault = faults.next_fault(self.cloud, kind, "delete", id_, project)
        if isinstance(fault, CloudError):
            raise fault
        with self.cloud.changing() as there:
            _remove(there, kind, id_)
        if fault:
            raise CloudError(str(fault))

    def _made(self, kind: ResourceType, id_: str, inputs: Inputs, fault: Exception | None) -> Made:
        if isinstance(fault, EndlessError):
            Event().wait()
        if isinstance(fault, LostError):
            raise CloudError(str(fault))
        made = Made(id_, self._outputs(kind, id_, inputs))
        return replace(made, problem=str(fault)) if isinstance(fault, HalfMadeError) else made

    def _outputs(self, kind: ResourceType, id_: str, inputs: Inputs) -> dict[str, Any]:
        return merged(kind.outputs(inputs, id_, self.around), inputs)

    def _named(self, inputs: Inputs) -> str:
        project = of(inputs, "project", self.around.project)
        if not project:
            raise CloudError("project: required field is not set")
        return project

    @staticmethod
    def _worded(kind: ResourceType, id_: str, project: str, error: str) -> str:
        return kind.error.format(error=error, id=id_, project=project)


_A_PATH = "projects/-/locations/-/x/x/y/y"
"""Stands for an ID where only the names of the outputs count."""


def _remove(there: Resources, kind: ResourceType, id_: str) -> None:
    """Take away a resource with what is inside it; raise CloudError while others need it."""
    inside = {other for other in there if other.startswith(f"{id_}/")}
    users = [other for other, record in there.items() if id_ in record["parents"]]
    for user in users:
        if kind.held and user not in inside:
            raise CloudError(errors.in_use(id_, user))
    for gone in (id_, *inside):
        there.pop(gone, None)
