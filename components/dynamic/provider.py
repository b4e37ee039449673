"""What all dynamic resources of this project have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import pulumi
from pulumi.dynamic import DiffResult, Resource, ResourceProvider, UpdateResult


class DynamicProvider(ResourceProvider):
    """A provider whose `create` starts from what is there each time, so that it may be done again.

    Stateless, and pickled by reference: the module path and class name of every subclass stand in
    users' state files and must never change.
    """

    serialize_as_secret_always = False

    inputs: ClassVar[tuple[str, ...]]
    """The inputs whose change means work. A time-out is none; nor are names and addresses, whose
    change the preflight refuses."""

    def diff(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> DiffResult:
        return DiffResult(changes=bool(self.changed(_olds, _news)))

    def changed(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> list[str]:
        """The declared inputs that differ: `olds` are outputs and hold computed keys as well."""
        return [key for key in self.inputs if olds.get(key) != news.get(key)]

    def update(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> UpdateResult:
        """Do what `create` does, which starts from what is there; keep outputs it does not set.

        `create` is given the old outputs too: the cluster must not be behind its last proof.
        """
        return UpdateResult(outs=self.create({**_olds, **_news}).outs)


class KubernetesResource(Resource):
    """A dynamic resource whose provider asks Kubernetes. The way there is a secret."""

    def __init__(
        self,
        provider: DynamicProvider,
        name: str,
        props: dict[str, Any],
        opts: pulumi.ResourceOptions | None,
        *,
        outputs: Iterable[str] = (),
        secrets: Iterable[str] = ("kubeconfig",),
    ) -> None:
        """`props`: among them kubeconfig. `outputs`: the keys that the provider adds to them.
        `secrets`: which of all these keys are secret."""
        secret = pulumi.ResourceOptions(additional_secret_outputs=list(secrets))
        super().__init__(
            provider,
            name,
            {**props, **dict.fromkeys(outputs)},
            pulumi.ResourceOptions.merge(opts, secret),
        )
