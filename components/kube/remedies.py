"""What to do about a Kubernetes API that says no, or nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from components.kube import denial
from components.site import kubectl

_REMEDIES: Mapping[int | None, str] = {
    HTTPStatus.UNAUTHORIZED: "log in to the cluster again, since its credentials have expired or "
    "were revoked; then pulumi up, which goes on from here",
    HTTPStatus.FORBIDDEN: "grant what is missing, then pulumi up",
    HTTPStatus.NOT_FOUND: "pulumi refresh, so that Pulumi knows what is gone, then pulumi up",
    HTTPStatus.BAD_REQUEST: "correct what it names, then pulumi up",
    HTTPStatus.UNPROCESSABLE_ENTITY: "correct what it names, then pulumi up",
}


def of_answer(status: int | None, said: str) -> str:
    """The one next step after an answer with this status; `said`: Kubernetes' words.

    A denial by an admission is none of a right. Any other status than these is no word about what
    was asked: somebody else has changed the object (409), the API is busy (429), or it has its own
    troubles (5xx), to which an admission webhook that does not answer belongs.
    """
    if status == HTTPStatus.FORBIDDEN and denial.is_told(said):
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    return _REMEDIES.get(status, "pulumi up, which goes on from here, once what it names is well")


def look_at(context: str) -> str:
    """The command that shows whether the cluster is there.

    A GKE context's name is made of what gcloud needs (`gke_<project>_<location>_<cluster>`), and
    nobody has a kubeconfig yet of a cluster that this `up` has made.
    """
    match context.split("_"):
        case ["gke", project, location, cluster]:
            where = f"--location {location} --project {project}"
            return f"gcloud container clusters describe {cluster} {where}"
        case _:
            return kubectl(context, "version")
