"""Dynamic resource `Protection`: refuses a destroy before anything is touched.

Pulumi's own protection of the cluster stands before it, and tells how to take that off the state.
Google's provider would refuse, too, but last, when the members are gone already. This one is made
last, so it goes first.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, Resource

from components.dynamic.provider import DynamicProvider
from components.progress import SequenceError


class ProtectionProvider(DynamicProvider):
    """Remembers whether the cluster may go."""

    inputs = ("protected", "cluster")

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Nothing but the note."""
        return CreateResult(id_=str(props["cluster"]), outs=props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Raises SequenceError, with the command that lifts it, while the cluster is protected."""
        if _props["protected"]:
            raise SequenceError(
                f"{_props['cluster']} is protected (etcd:gke.deletionProtection); "
                "nothing was touched",
                "pulumi config set --path etcd:gke.deletionProtection false && pulumi up",
            )


class Protection(Resource, module="etcd", name="Protection"):
    """The gate in front of a destroy.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Protection``
    """

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: cluster (its path, for people), protected."""
        super().__init__(ProtectionProvider(), name, props, opts)
