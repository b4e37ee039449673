"""A service account, and what a member may do in the project."""

import re
from typing import Any

from lab.plugins.gcp.patterns import MEMBER, PROJECT, ROLE
from lab.plugins.gcp.resource import (
    NOT_SENT,
    Api,
    Inputs,
    Pattern,
    ResourceType,
    Surroundings,
    of,
)

_IAM = Api("iam.v1", "iam.googleapis.com", "Identity and Access Management (IAM) API")
_PROJECTS = Api(
    "cloudresourcemanager.v3", "cloudresourcemanager.googleapis.com", "Cloud Resource Manager API"
)


def _email(inputs: Inputs, around: Surroundings) -> str:
    project = of(inputs, "project", around.project)
    return f"{inputs['accountId']}@{project}.iam.gserviceaccount.com"


def _account_id(inputs: Inputs, around: Surroundings) -> str:
    project = of(inputs, "project", around.project)
    return f"projects/{project}/serviceAccounts/{_email(inputs, around)}"


def _account_outputs(_inputs: Inputs, id_: str, _around: Surroundings) -> dict[str, Any]:
    email = id_.rpartition("/")[2]
    return {
        "project": id_.split("/")[1],
        "name": id_,
        "email": email,
        "member": f"serviceAccount:{email}",
        "uniqueId": "100000000000000000000",
    }


ACCOUNT = ResourceType(
    token="gcp:serviceaccount/account:Account",
    api=_IAM,
    schema="CreateServiceAccountRequest",
    table={
        "accountId": "accountId",
        "displayName": "serviceAccount.displayName",
        "project": NOT_SENT,
        "deletionPolicy": NOT_SENT,
    },
    identify=_account_id,
    outputs=_account_outputs,
    permission="iam.serviceAccounts",
    error="Error creating service account: {error}",
    required=("accountId",),
    patterns={
        "accountId": Pattern(
            "[a-z]([-a-z0-9]{4,28}[a-z0-9])",
            "6 to 30 lower case letters, digits and '-', a letter first, no '-' last",
        ),
        "displayName": Pattern("(?s).{0,100}", "up to 100 characters"),
        "project": PROJECT,
    },
    immutable=("accountId", "project"),
)


def _member_parents(inputs: Inputs, around: Surroundings) -> list[str]:
    """The member, where it is a service account of this project."""
    project = re.escape(of(inputs, "project", around.project))
    found = re.fullmatch(
        rf"serviceAccount:(.+@{project}\.iam\.gserviceaccount\.com)", str(inputs["member"])
    )
    return [f"projects/{of(inputs, 'project', '')}/serviceAccounts/{found[1]}"] if found else []


IAM_MEMBER = ResourceType(
    token="gcp:projects/iAMMember:IAMMember",
    api=_PROJECTS,
    schema="Binding",
    table={
        "project": NOT_SENT,
        "role": "role",
        "member": "members[]",
    },
    identify=lambda inputs, _: "/".join(str(inputs[key]) for key in ("project", "role", "member")),
    outputs=lambda _inputs, _id, _around: {"etag": "BwXhqDVlZ3M="},
    permission="resourcemanager.projects.setIamPolicy",
    error=(
        'Error applying IAM policy for project "{project}": '
        'Error setting IAM policy for project "{project}": {error}'
    ),
    required=("project", "role", "member"),
    patterns={"project": PROJECT, "role": ROLE, "member": MEMBER},
    immutable=("project", "role", "member"),
    parents=_member_parents,
    shared=True,
)
