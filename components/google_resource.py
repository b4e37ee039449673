"""One resource of Google Cloud, declared by its type token and inputs as they go over the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, cast

import pulumi


class GoogleResource(pulumi.CustomResource):
    """A resource of any type, under the same type token as in the Google SDK.

    **Pulumi Type:** ``gcp:<module>:<name>``
    Deliberately absent: the SDK's typed classes. To touch those of a cluster alone imports 0.4 s of
    generated code, those of a network one more second, in every command. What their types would
    tell is told by a test that holds every declared input against them
    (tests/program/test_gke_inputs.py), and by the plugin itself, in preview already.
    """

    def __init__(
        self,
        type_token: str,
        name: str,
        inputs: Mapping[str, Any],
        opts: pulumi.ResourceOptions,
        outputs: Iterable[str] = (),
    ) -> None:
        """`inputs`: camelCase; None is the same as not given, at any depth.

        `outputs`: those that `output` will be asked for.
        """
        # The SDK that is installed says which plugin it speaks to. Were nothing said, the engine
        # would take whatever is there.
        plugin = pulumi.ResourceOptions(version=version("pulumi-gcp"))
        super().__init__(
            type_token,
            name,
            {**dict.fromkeys(outputs), **_given(inputs)},
            pulumi.ResourceOptions.merge(opts, plugin),
        )

    def output(self, name: str) -> pulumi.Output[Any]:
        """An output, or an input as the provider answers it. Raises KeyError if undeclared."""
        return self.__dict__[name]


def _given(value: Any) -> Any:
    """The value without the keys that hold None."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return {key: _given(inner) for key, inner in pairs if inner is not None}
    if isinstance(value, list):
        return [_given(inner) for inner in cast("list[Any]", value)]
    return value
