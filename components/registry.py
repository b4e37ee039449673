"""The image registry of a GKE cluster: one Artifact Registry repository in its region."""

from __future__ import annotations

from typing import Any

import pulumi

from components.google_resource import GoogleResource
from components.settings import GkeSettings

TOKEN = "etcd:gke:Registry"

DAY = 24 * 3600


class Registry(pulumi.ComponentResource):
    """Where the image is pushed to, by whoever runs `pulumi up`, and pulled from, by the nodes.

    **Pulumi Type:** ``etcd:gke:Registry``
    Children: ``gcp:artifactregistry/repository:Repository``,
    ``gcp:artifactregistry/repositoryIamMember:RepositoryIamMember``.
    Deliberately absent: credentials for the push. Docker has those of the user
    (`gcloud auth configure-docker`); a token in the program would be stored in the state.
    """

    uri: pulumi.Output[str]
    """`<region>-docker.pkg.dev/<project>/<repository>`, as the repository itself says."""
    readable: pulumi.Resource
    """The nodes' right to pull: without it a pod would wait in ImagePullBackOff."""

    def __init__(
        self,
        name: str,
        gke: GkeSettings,
        reader: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`reader`: the e-mail address of the nodes' service account."""
        super().__init__(TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        repository = GoogleResource(
            "gcp:artifactregistry/repository:Repository",
            name,
            {
                "project": gke.project,
                "location": gke.region,
                "repositoryId": gke.cluster_name,
                "description": "The image of the etcd cluster's members",
                "format": "DOCKER",
                # A tag that was pushed stays what it is. Pods go by digest in any case.
                "dockerConfig": {"immutableTags": True},
                "cleanupPolicies": _CLEANUP,
                # CIS 5.1.1. As the project has it: scanning costs money for each image.
                "vulnerabilityScanningConfig": {"enablementConfig": "INHERITED"},
                "kmsKeyName": gke.kms_key,  # CIS 5.9
                "labels": dict(gke.labels),
            },
            child,
            outputs=["registryUri"],
        )
        self.readable = GoogleResource(
            "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
            name,
            {
                "project": gke.project,
                "location": gke.region,
                "repository": repository.output("repositoryId"),
                # CIS 5.1.3: reading, and of this repository alone.
                "role": "roles/artifactregistry.reader",
                "member": pulumi.Output.concat("serviceAccount:", reader),
            },
            child,
        )
        self.uri = repository.output("registryUri")
        self.register_outputs({"uri": self.uri})


_CLEANUP: list[dict[str, Any]] = [
    # What is running is among the newest ten; keeping goes before deleting.
    {"id": "keep-newest", "action": "KEEP", "mostRecentVersions": {"keepCount": 10}},
    {
        "id": "delete-untagged",
        "action": "DELETE",
        "condition": {"tagState": "UNTAGGED", "olderThan": f"{30 * DAY}s"},
    },
]
