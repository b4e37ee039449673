"""What a change of inputs does to a resource: nothing, an update in place, or a replacement."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.plugins.gcp.paths import is_below, leaves
from lab.plugins.gcp.resource import Inputs, ResourceType

_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One input that differs."""

    path: str
    kind: str
    """add, delete or update."""
    replaces: bool

    @property
    def top(self) -> str:
        """The input's first part, as the engine names it."""
        return self.path.partition(".")[0].partition("[")[0]


def changes(kind: ResourceType, old: Inputs, new: Inputs) -> list[Change]:
    """Compare the inputs of two runs. What was taken away counts."""
    before, after = dict(leaves(old)), dict(leaves(new))
    found: list[Change] = []
    for path in sorted({*before, *after}):
        was, now = before.get(path, _ABSENT), after.get(path, _ABSENT)
        if was == now or {_size(was), _size(now)} == {0}:
            continue
        how = "add" if was is _ABSENT else "delete" if now is _ABSENT else "update"
        replaces = any(is_below(path, root) for root in kind.immutable)
        found.append(Change(path, how, replaces))
    return found


def deletes_first(kind: ResourceType, old: Inputs, new: Inputs) -> bool:
    """Whether a replacement cannot stand beside what it replaces: the name stays the same.

    As pulumi-terraform-bridge has it for every input that Pulumi could have chosen itself.
    """
    return bool(kind.named) and old.get(kind.named) == new.get(kind.named)


def _size(value: Any) -> int:
    """0 for what is absent or empty: an empty list and no list are one to the provider."""
    if value is _ABSENT:
        return 0
    return len(value) if isinstance(value, Mapping | list) else 1
