"""What the provider and Google's API would refuse in a resource's inputs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lab.plugins.gcp import discovery
from lab.plugins.gcp.body import build
from lab.plugins.gcp.labels import label_problems
from lab.plugins.gcp.paths import find
from lab.plugins.gcp.resource import Inputs, Problem, ResourceType
from lab.plugins.unknown import is_unknown


def with_defaults(kind: ResourceType, inputs: Inputs) -> dict[str, Any]:
    """Return the inputs without nulls, and with the provider's defaults that matter here."""
    given = {name: value for name, value in inputs.items() if value is not None}
    return {**kind.defaults, **given}


def problems(kind: ResourceType, inputs: Inputs) -> list[Problem]:
    """Return everything that is wrong, in a stable order, each once."""
    found = [*_provider(kind, inputs), *_api(kind, inputs)]
    return list(dict.fromkeys(sorted(found)))


def _api(kind: ResourceType, inputs: Inputs) -> Iterator[Problem]:
    body = build(inputs, kind.table)
    yield from body.problems
    for path, wrong in discovery.check(body.content, kind.api.document, kind.schema):
        yield _origin(path, body.origins), wrong


def _origin(path: str, origins: Mapping[str, str]) -> str:
    """Name the input for a path in the body, by the longest part of it that has an origin."""
    for end in sorted(origins, key=len, reverse=True):
        if path == end or path.startswith((f"{end}.", f"{end}[")):
            return origins[end] + path[len(end) :]
    return path


def _provider(kind: ResourceType, inputs: Inputs) -> Iterator[Problem]:
    yield from _missing(kind, inputs)
    yield from _values(kind, inputs)
    for path in kind.labels:
        for where, value in find(inputs, path):
            yield from label_problems(where, value)
    for one, other in kind.conflicts:
        if any(find(inputs, one)) and any(find(inputs, other)):
            yield one, f"conflicts with {other}"
    for path, names in kind.exactly_one.items():
        for where, value in _objects(inputs, path):
            count = sum(value.get(name) is not None for name in names)
            if count != 1:
                yield where, f"needs exactly one of {', '.join(names)}, and has {count}"
    for path, names in kind.at_least_one.items():
        for where, value in _objects(inputs, path):
            if all(value.get(name) is None for name in names):
                yield where, f"needs at least one of {', '.join(names)}"
    yield from kind.rules(inputs)


def _values(kind: ResourceType, inputs: Inputs) -> Iterator[Problem]:
    """Judge single values, where they are of the right type and known."""
    for path, pattern in kind.patterns.items():
        for where, value in _known(inputs, path):
            if isinstance(value, str) and not re.fullmatch(pattern.expression, value):
                yield where, f"is {value!r}; allowed: {pattern.allowed}"
    for path, choices in kind.choices.items():
        for where, value in _known(inputs, path):
            if value not in choices:
                yield where, f"is {value!r}; allowed: {', '.join(choices)}"
    for path, least in kind.minima.items():
        for where, value in _known(inputs, path):
            if isinstance(value, int | float) and value < least:
                yield where, f"is {value:g}; allowed: {least} or more"


def _known(inputs: Inputs, path: str) -> Iterator[tuple[str, Any]]:
    return (found for found in find(inputs, path) if not is_unknown(found[1]))


def _objects(inputs: Inputs, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return (found for found in find(inputs, path) if isinstance(found[1], Mapping))


def _missing(kind: ResourceType, inputs: Inputs) -> Iterator[Problem]:
    for path in kind.required:
        parent, _, name = path.rpartition(".")
        for where, value in _objects(inputs, parent) if parent else [("", inputs)]:
            if value.get(name) is None:
                yield f"{where}.{name}" if where else name, "is required and not set"
