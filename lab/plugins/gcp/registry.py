"""Artifact Registry: a repository, and who may do what with it."""

from typing import Any

from lab.plugins.gcp.labels import label_outputs
from lab.plugins.gcp.patterns import KEY, MEMBER, PROJECT, ROLE
from lab.plugins.gcp.resource import (
    NOT_SENT,
    Api,
    Inputs,
    Pattern,
    ResourceType,
    Surroundings,
    Table,
    of,
)

_API = Api("artifactregistry.v1", "artifactregistry.googleapis.com", "Artifact Registry API")

_LOCATION = Pattern("[a-z]+-[a-z]+[0-9]+|asia|europe|us", "a region, or asia, europe or us")

_POLICY = "cleanupPolicies{id}"

_REPOSITORY: Table = {
    "repositoryId": NOT_SENT,
    "location": NOT_SENT,
    "project": NOT_SENT,
    "deletionPolicy": NOT_SENT,
    "description": "description",
    "dockerConfig.immutableTags": "dockerConfig.immutableTags",
    "format": "format",
    "kmsKeyName": "kmsKeyName",
    "labels": "labels",
    "vulnerabilityScanningConfig.enablementConfig": "vulnerabilityScanningConfig.enablementConfig",
    "cleanupPolicies[].id": f"{_POLICY}.id",
    "cleanupPolicies[].action": f"{_POLICY}.action",
    **{
        f"cleanupPolicies[].{path}": f"{_POLICY}.{path}"
        for path in (
            "condition.olderThan",
            "condition.tagState",
            "mostRecentVersions.keepCount",
        )
    },
}


def _place(inputs: Inputs, around: Surroundings) -> str:
    project, region = of(inputs, "project", around.project), of(inputs, "location", around.region)
    return f"projects/{project}/locations/{region}/repositories"


def _repository_id(inputs: Inputs, around: Surroundings) -> str:
    return f"{_place(inputs, around)}/{inputs['repositoryId']}"


def _repository_outputs(inputs: Inputs, id_: str, around: Surroundings) -> dict[str, Any]:
    parts = id_.split("/")
    return {
        "project": parts[1],
        "location": parts[3],
        "name": parts[5],
        "registryUri": around.registry,
        "createTime": "2026-01-01T00:00:00.000000Z",
        "updateTime": "2026-01-01T00:00:00.000000Z",
        **label_outputs(inputs.get("labels")),
    }


REPOSITORY = ResourceType(
    token="gcp:artifactregistry/repository:Repository",
    api=_API,
    schema="Repository",
    table=_REPOSITORY,
    identify=_repository_id,
    outputs=_repository_outputs,
    permission="artifactregistry.repositories",
    error="Error creating Repository: {error}",
    waiting="Creating Repository",
    required=("repositoryId", "format", "cleanupPolicies[].id"),
    patterns={
        "repositoryId": Pattern(
            "(?=.{1,63}$)[a-z]([a-z0-9-]*[a-z0-9])?",
            "up to 63 lower case letters, digits and '-', a letter first, no '-' last",
        ),
        "location": _LOCATION,
        "project": PROJECT,
        "kmsKeyName": KEY,
        "cleanupPolicies[].id": Pattern(".{1,128}", "1 to 128 characters"),
    },
    labels=("labels",),
    choices={
        "cleanupPolicies[].action": ("DELETE", "KEEP"),
        "cleanupPolicies[].condition.tagState": ("TAGGED", "UNTAGGED", "ANY"),
        "vulnerabilityScanningConfig.enablementConfig": ("INHERITED", "DISABLED"),
    },
    minima={"cleanupPolicies[].mostRecentVersions.keepCount": 1},
    immutable=("repositoryId", "location", "project", "format", "kmsKeyName"),
)


def _grant_parent(inputs: Inputs, around: Surroundings) -> str:
    repository = str(inputs["repository"])
    if repository.startswith("projects/"):
        return repository
    return f"{_place(inputs, around)}/{repository}"


def _grant_outputs(_inputs: Inputs, id_: str, _around: Surroundings) -> dict[str, Any]:
    parts = id_.split("/")
    return {"project": parts[1], "location": parts[3], "etag": "BwXhqDVlZ3M="}


REPOSITORY_IAM_MEMBER = ResourceType(
    token="gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
    api=_API,
    schema="Binding",
    table={
        "repository": NOT_SENT,
        "location": NOT_SENT,
        "project": NOT_SENT,
        "role": "role",
        "member": "members[]",
    },
    identify=lambda inputs, around: "/".join(
        [_grant_parent(inputs, around), str(inputs["role"]), str(inputs["member"])]
    ),
    outputs=_grant_outputs,
    permission="artifactregistry.repositories.setIamPolicy",
    error='Error applying IAM policy for artifactregistry repository "{id}": {error}',
    required=("repository", "role", "member"),
    patterns={"role": ROLE, "member": MEMBER, "location": _LOCATION, "project": PROJECT},
    immutable=("repository", "role", "member", "location", "project"),
    parents=lambda inputs, around: [_grant_parent(inputs, around)],
    shared=True,
)
