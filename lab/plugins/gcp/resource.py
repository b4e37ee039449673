"""What the stand-in knows about one type of resource: a table, not code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Inputs = Mapping[str, Any]
"""A resource's inputs, camelCase as in the provider's schema."""

Problem = tuple[str, str]
"""Path of an input, and what is wrong with it."""

NOT_SENT: Final = ""
"""Target of an input that is no part of the body: in the URL, or of the provider itself."""


@dataclass(frozen=True)
class To:
    """Target of an input whose values have other names in Google's API."""

    path: str
    values: Mapping[Any, Any]


Table = Mapping[str, str | To]
"""Input path to path in the REST body. `[]` is each element of a list; `{id}` turns a list into a
mapping by that key; a target that ends with `[]` makes a list of the one value."""

FLAG: Final = {"TRUE": True, "FALSE": False}
"""How the provider writes the one input that may be unset, true or false."""

VERSION: Final = "1.34.3-gke.1"
"""What clusters and pools of the stand-in say that they are. The lab's own version is behind it."""


@dataclass(frozen=True)
class Pattern:
    """What a text must look like."""

    expression: str
    allowed: str


@dataclass(frozen=True)
class Api:
    """One of Google's APIs."""

    document: str
    """Name of its discovery document."""
    host: str
    title: str
    """As Google's errors name it."""


@dataclass(frozen=True)
class Surroundings:
    """What a resource takes from the provider's configuration and from the lab."""

    project: str
    region: str
    server: str
    """host:port of the lab's Kubernetes API."""
    certificate_authority: str
    """Of that API; base64 of PEM."""
    registry: str
    """The lab's image registry."""


@dataclass(frozen=True)
class ResourceType:
    """One type of resource."""

    token: str
    api: Api
    schema: str
    """Name of the body's schema in the discovery document."""
    table: Table
    identify: Callable[[Inputs, Surroundings], str]
    """The provider's ID. Inputs are known then."""
    outputs: Callable[[Inputs, str, Surroundings], dict[str, Any]]
    """Outputs beside the inputs, by ID; merged into them."""
    permission: str
    """What Google asks of the caller, without the verb: container.clusters."""
    error: str = "{error}"
    """How the provider words an error of Google's; has {error}, may have {id} and {project}."""
    waiting: str = ""
    """What the provider says that it waits for; empty where the API answers at once."""
    required: Sequence[str] = ()
    """Inputs without default; of a nested one, wherever its object is given."""
    patterns: Mapping[str, Pattern] = field(default_factory=dict[str, Pattern])
    labels: Sequence[str] = ()
    """Mappings of Google's labels, whose keys and values have one form."""
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """Where the provider takes fewer values than Google's API."""
    minima: Mapping[str, int] = field(default_factory=dict[str, int])
    conflicts: Sequence[tuple[str, str]] = ()
    """Pairs that may not both be set, not even to false."""
    exactly_one: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """By object: its inputs of which one must be set."""
    at_least_one: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    immutable: Sequence[str] = ()
    """Inputs whose change, at or below them, replaces the resource."""
    named: str = ""
    """Input that Pulumi could choose: while it stays, a replacement deletes first."""
    defaults: Inputs = field(default_factory=dict[str, Any])
    rules: Callable[[Inputs], list[Problem]] = lambda _: []
    """What no table can say."""
    parents: Callable[[Inputs, Surroundings], list[str]] = lambda _inputs, _surroundings: []
    """IDs of what must exist before."""
    shared: bool = False
    """Whether making what is there already is no error."""
    held: bool = False
    """Whether it cannot be deleted while something that needs it is there."""

    @property
    def name(self) -> str:
        """Last part of the token: Cluster."""
        return self.token.rpartition(":")[2]


def of(inputs: Inputs, key: str, otherwise: str) -> str:
    return str(inputs.get(key) or otherwise)


def same(start: str, *names: str, to: str | None = None) -> Table:
    """Rows for inputs that keep their names, below `start` or below another object of the body."""
    target = start if to is None else to
    return {f"{start}.{name}": f"{target}.{name}" for name in names}
