"""What is to go wrong, by a file in the lab: `faults.json` beside the cloud's own.

    [{"type": "Cluster", "operation": "create", "fault": "quota", "times": 1}]

Each entry is used up by as many operations as `times` says (1 by default).
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.plugins.gcp import errors
from lab.plugins.gcp.cloud import Cloud, write
from lab.plugins.gcp.errors import CloudError, EndlessError, HalfMadeError, LostError
from lab.plugins.gcp.resource import ResourceType

_Raised = CloudError | EndlessError | HalfMadeError | LostError

FAULTS: dict[str, Callable[[ResourceType, str, str, str], _Raised]] = {
    "quota": lambda kind, _operation, id_, project: CloudError(errors.quota(kind, id_, project)),
    "permission": lambda kind, operation, _id, project: CloudError(
        errors.permission(kind, operation, project)
    ),
    "disabled": lambda kind, _operation, _id, project: CloudError(
        errors.disabled(kind.api, project)
    ),
    "taken": lambda kind, _operation, id_, _project: CloudError(errors.taken(kind, id_)),
    # The provider waits for an operation that goes on without it: it knows the ID, and says so.
    "timeout": lambda kind, operation, _id, _project: HalfMadeError(
        errors.out_of_time(kind, operation)
    ),
    "partial": lambda kind, operation, _id, _project: HalfMadeError(
        errors.unhealthy(kind, operation)
    ),
    # Worst of all: the answer that has the ID never comes.
    "lost": lambda kind, _operation, id_, _project: LostError(errors.lost(kind, id_)),
    # No answer comes before the CLI is killed, which takes the plugin with it.
    "endless": lambda kind, operation, _id, _project: EndlessError(errors.waiting(kind, operation)),
}
"""By name: the error for a type, an operation (create, update, delete), an ID and a project."""


def inject(cloud: Cloud, kind: str, operation: str, fault: str, times: int = 1) -> None:
    """Make the next operations of a type fail; for tests."""
    assert fault in FAULTS, f"{fault} is none of {', '.join(FAULTS)}"
    with cloud.locked():
        entry = {"type": kind, "operation": operation, "fault": fault, "times": times}
        write(_file(cloud), [*_load(_file(cloud)), entry])


def next_fault(
    cloud: Cloud, kind: ResourceType, operation: str, id_: str, project: str
) -> _Raised | None:
    """Return what this operation is to fail with, and use it up."""
    with cloud.locked():
        entries = _load(_file(cloud))
        for entry in entries:
            if (entry["type"], entry["operation"]) == (kind.name, operation):
                entry["times"] = entry.get("times", 1) - 1
                write(_file(cloud), [e for e in entries if e.get("times", 1) > 0])
                return FAULTS[entry["fault"]](kind, operation, id_, project)
    return None


def _file(cloud: Cloud) -> Path:
    return cloud.folder / "faults.json"


def _load(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text()) if file.exists() else []
