"""From a resource's inputs to the body of the request to Google's API, by the type's table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.plugins.gcp.resource import NOT_SENT, Inputs, Problem, Table, To
from lab.plugins.unknown import is_unknown

Element = tuple[int, Any]
"""An element of a list that the path leads through, with its index."""


@dataclass
class Body:
    """A request's body, and where each part of it comes from."""

    content: dict[str, Any] = field(default_factory=dict[str, Any])
    origins: dict[str, str] = field(default_factory=dict[str, str])
    """Path of the input, by path in the body."""
    problems: list[Problem] = field(default_factory=list[Problem])


def build(inputs: Inputs, table: Table) -> Body:
    """Map every input; one that the table does not know is a problem."""
    builder = _Builder(table)
    for name, value in inputs.items():
        builder.walk(name, name, value, ())
    return builder.body


class _Builder:
    def __init__(self, table: Table) -> None:
        self._table = table
        self.body = Body()

    def walk(self, key: str, path: str, value: Any, elements: Sequence[Element]) -> None:
        """`key` is the path as in the table, `path` the same with indices."""
        if value is None:
            return
        if key in self._table:
            self._leaf(path, self._table[key], value, elements)
        elif self._has_below(f"{key}."):
            if isinstance(value, Mapping):
                for name, below in value.items():
                    self.walk(f"{key}.{name}", f"{path}.{name}", below, elements)
            elif not is_unknown(value):
                self._refuse(path, f"is {value!r}; an object is expected")
        elif self._has_below(f"{key}[]"):
            if isinstance(value, list):
                for i, item in enumerate(value):
                    self.walk(f"{key}[]", f"{path}[{i}]", item, (*elements, (i, item)))
            elif not is_unknown(value):
                self._refuse(path, f"is {value!r}; a list is expected")
        else:
            self._refuse(path, "is no input that the stand-in of the gcp plugin knows")

    def _leaf(self, path: str, entry: str | To, value: Any, elements: Sequence[Element]) -> None:
        if isinstance(entry, To):
            if not is_unknown(value):
                if not isinstance(value, str | bool) or value not in entry.values:
                    allowed = ", ".join(map(repr, entry.values))
                    self._refuse(path, f"is {value!r}; allowed: {allowed}")
                    return
                value = entry.values[value]
            entry = entry.path
        if entry != NOT_SENT:
            where = _put(self.body.content, entry, value, list(elements))
            self.body.origins[where] = path

    def _has_below(self, start: str) -> bool:
        return any(key.startswith(start) for key in self._table)

    def _refuse(self, path: str, why: str) -> None:
        self.body.problems.append((path, why))


def _put(content: dict[str, Any], target: str, value: Any, elements: list[Element]) -> str:
    """Put a value where the target says; return the path that it has there."""
    node: Any = content
    way: list[str] = []
    *tokens, last = target.split(".")
    for token in tokens:
        if token.endswith("[]"):
            name = token.removesuffix("[]")
            index, _ = elements.pop(0)
            items = node.setdefault(name, [])
            items.extend({} for _ in range(len(items), index + 1))
            node = items[index]
            way.append(f"{name}[{index}]")
        elif token.endswith("}"):
            name, _, by = token.removesuffix("}").partition("{")
            _, element = elements.pop(0)
            key = str(element.get(by))
            node = node.setdefault(name, {}).setdefault(key, {})
            way += [name, key]
        else:
            node = node.setdefault(token, {})
            way.append(token)
    name = last.removesuffix("[]")
    node[name] = [value] if name != last else value
    return ".".join([*way, name])
