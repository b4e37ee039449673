"""One Kubernetes object, declared as Kubernetes itself writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

Manifest = Mapping[str, Any]
"""apiVersion, kind, metadata and the rest, camelCase, without nulls; values may be outputs."""


class KubernetesObject(pulumi.CustomResource):
    """An object of any kind, under the same type token as in the Kubernetes SDK.

    **Pulumi Type:** ``kubernetes:<group>/<version>:<kind>``
    Deliberately absent: the SDK's typed classes. To touch one of them imports hundreds of others
    and costs every command half a second. What their types would tell is told by the official
    client's models (tests/program/test_manifests.py) and by the plugin, which checks what it is
    given against the cluster's own schema, in preview already.
    """

    metadata: pulumi.Output[dict[str, Any]]
    spec: pulumi.Output[dict[str, Any]]
    """In preview what was declared; a key that Kubernetes fills in may be missing."""
    status: pulumi.Output[dict[str, Any]]
    """Of an object that was read with `found` only."""

    def __init__(self, name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> None:
        self.manifest = manifest
        super().__init__(type_token(manifest), name, dict(manifest), opts)

    def found(self, opts: pulumi.ResourceOptions) -> KubernetesObject:
        """The same object as Kubernetes has it now: read anew by every command, never changed.

        Pulumi's state tells what was declared, and does not notice what others have done since.
        Not for kinds that the plugin waits for (StatefulSet, Service, Pod): it waits when reading,
        too.
        """
        kind = {key: self.manifest[key] for key in ("apiVersion", "kind")}
        # Plugin 4.x takes the place from here: it looks at the ID only where it is given nothing.
        metadata = self.manifest["metadata"]
        place = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
        now = pulumi.ResourceOptions(id=self.id, depends_on=[self])
        return KubernetesObject(
            f"{self._name}-found",
            {**kind, "metadata": place, "spec": None, "status": None},
            pulumi.ResourceOptions.merge(opts, now),
        )


def type_token(manifest: Manifest) -> str:
    """Pulumi's name for the kind; the group without a name is `core` there."""
    api_version, kind = manifest["apiVersion"], manifest["kind"]
    return f"kubernetes:{api_version if '/' in api_version else f'core/{api_version}'}:{kind}"
