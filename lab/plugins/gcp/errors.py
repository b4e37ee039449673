"""What Google and the provider say when something fails, in their own words.

Collected from issues of terraform-provider-google and of projects that use it.
"""

from lab.plugins.gcp.resource import Api, ResourceType

_CONSOLE = "https://console.cloud.google.com/iam-admin/quotas?usage=USED&project="
_ENABLE = "https://console.developers.google.com/apis/api/"
_PATIENCE = {
    "create": {"Cluster": "40m0s", "NodePool": "30m0s"},
    "update": {"Cluster": "1h0m0s", "NodePool": "30m0s"},
    "delete": {"Cluster": "40m0s", "NodePool": "30m0s"},
}


class CloudError(Exception):
    """The request is refused; nothing is changed."""


class HalfMadeError(Exception):
    """The request was begun; the object is there, and the provider gives up on it."""


class LostError(Exception):
    """The request was done, and the provider did not learn of it."""


class EndlessError(Exception):
    """The request was begun, and the provider waits for its end when it is killed."""


def quota(_kind: ResourceType, _id: str, project: str) -> str:
    return (
        'googleapi: Error 403: Insufficient regional quota to satisfy request: resource "CPUS": '
        "request requires '6.0' and is short '4.0'. project has a quota of '8.0' with '2.0' "
        f"available. View and manage quotas at {_CONSOLE}{project}., forbidden"
    )


def permission(kind: ResourceType, verb: str, project: str) -> str:
    """`verb` is create, get, update or delete; a policy is one permission whatever is done."""
    needed = kind.permission
    if not needed.endswith("setIamPolicy"):
        needed = f"{needed}.{verb}"
    if kind.api.document == "container.v1":
        said = f'Required "{needed}" permission(s) for "projects/{project}".'
    else:
        said = f"Permission '{needed}' denied on resource (or it may not exist)."
    return f"googleapi: Error 403: {said}, forbidden"


def disabled(api: Api, project: str) -> str:
    return (
        f"googleapi: Error 403: {api.title} has not been used in project {project} before or it "
        f"is disabled. Enable it by visiting {_ENABLE}{api.host}/overview?project={project} then "
        "retry. If you enabled this API recently, wait a few minutes for the action to propagate "
        "to our systems and retry., accessNotConfigured"
    )


def taken(kind: ResourceType, id_: str) -> str:
    name = id_.rpartition("/")[2]
    match kind.name:
        case "Account":
            said = f"Service account {name.partition('@')[0]} already exists within project "
            said += f"projects/{id_.split('/')[1]}."
        case "Repository":
            said = "the repository already exists."
        case "Network" | "Subnetwork":
            said = f"The resource '{id_}' already exists"
        case _:
            said = f"Already exists: {id_}."
    return f"googleapi: Error 409: {said}, alreadyExists"


def missing(id_: str) -> str:
    return f"googleapi: Error 404: Not found: {id_}., notFound"


def in_use(id_: str, by: str) -> str:
    kind = "network" if "/networks/" in id_ else "subnetwork"
    return (
        f"googleapi: Error 400: The {kind} resource '{id_}' is already being used by '{by}', "
        "resourceInUseByAnotherResource"
    )


def out_of_time(kind: ResourceType, operation: str) -> str:
    patience = _PATIENCE[operation].get(kind.name, "20m0s")
    return (
        f"Error waiting for {waiting(kind, operation)}: timeout while waiting for state to become "
        f"'DONE' (last state: 'RUNNING', timeout: {patience})"
    )


def unhealthy(kind: ResourceType, operation: str) -> str:
    return (
        f"Error waiting for {waiting(kind, operation)}: All cluster resources were brought up, "
        "but: only 0 nodes out of 1 have registered; cluster may be unhealthy."
    )


def lost(kind: ResourceType, id_: str) -> str:
    return (
        f'Post "https://{kind.api.host}/v1/{id_.rpartition("/")[0]}?alt=json&prettyPrint=false": '
        "read: connection reset by peer"
    )


def protected() -> str:
    return (
        "Cannot destroy cluster because deletion_protection is set to true. "
        "Set it to false to proceed with cluster deletion."
    )


def prevented(kind: ResourceType) -> str:
    return (
        f'cannot destroy {kind.name} without setting deletion_policy="DELETE" '
        "and running `terraform apply`"
    )


def waiting(kind: ResourceType, operation: str) -> str:
    done = kind.waiting or f"creating {kind.name}"
    verb = {"create": "creating", "update": "updating", "delete": "deleting"}[operation]
    return done.replace("creating", verb).replace("Creating", verb.capitalize())


def shown(message: str) -> str:
    """As the provider's bridge hands an error to the engine."""
    return f"1 error occurred:\n\t* {message}\n\n"
