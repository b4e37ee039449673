"""Dynamic resource `Namespace`: there when it is needed, gone only if it is ours alone.

Not a Kubernetes resource of Pulumi's: that one refuses a namespace that exists, and would delete
one that holds retained volumes, and anything else that somebody put there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, UpdateResult
from pulumi.output import Unknown

from components.dynamic.provider import DynamicProvider, KubernetesResource
from components.progress import SequenceError
from components.site import Site


class NamespaceProvider(DynamicProvider):
    """Creates the namespace if it is missing; deletes it with the stack if it made it."""

    # `delete` works with what the state has: names as of now, credentials that are still good.
    inputs = ("site", "kubeconfig", "retain")

    def diff(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> DiffResult:
        """Work, too, where its unique ID was not noted yet.

        Raises AnotherNamespaceError, so in a preview before anything is touched. Where the way
        there has changed and is not known yet, or nobody answers, the work itself will say so.
        """
        changed, uid = self.changed(_olds, _news), _olds.get("uid")
        known = not isinstance(_news["kubeconfig"], Unknown)
        if uid and known and {"site", "kubeconfig"}.intersection(changed):
            from components.kube.namespace import (  # noqa: PLC0415 - kubernetes is heavy
                AnotherNamespaceError,
                require_same,
            )

            try:
                require_same(Site.of(_news), _news["kubeconfig"], uid)
            except AnotherNamespaceError:
                raise
            except SequenceError:
                pass
        return DiffResult(changes=bool(changed) or not uid)

    def update(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> UpdateResult:
        """As `create`, in the same namespace. Raises AnotherNamespaceError."""
        from components.kube.namespace import require_same  # noqa: PLC0415 - heavy

        if uid := _olds.get("uid"):
            require_same(Site.of(_news), _news["kubeconfig"], uid)
        return super().update(_id, _olds, _news)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return when the namespace exists."""
        from components.kube.namespace import make  # noqa: PLC0415 - heavy

        site = Site.of(props)
        uid = make(site, props["kubeconfig"])
        return CreateResult(id_=site.namespace, outs={**props, "uid": uid})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Notice in a refresh that the namespace is gone, so that the next `up` makes it again."""
        from components.kube.namespace import is_gone  # noqa: PLC0415 - heavy

        gone = is_gone(Site.of(props), props["kubeconfig"], props.get("uid"))
        # An empty ID means gone to the engine; without outputs the SDK would fail.
        return ReadResult("", {}) if gone else ReadResult(id_, props)

    def delete(self, _id: str, _props: Any) -> None:
        """End the namespace if it is ours alone."""
        from components.kube.namespace import end  # noqa: PLC0415 - heavy

        end(Site.of(_props), _props)


class Namespace(KubernetesResource, module="etcd", name="Namespace"):
    """The namespace of the cluster.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Namespace``
    """

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), retain (volumes outlive the stack),
        cluster_goes (the Kubernetes cluster is of this stack and goes after the namespace)."""
        super().__init__(NamespaceProvider(), name, props, opts)
