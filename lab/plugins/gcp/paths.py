"""Values at paths such as `taints[].effect` in nested inputs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lab.plugins.unknown import UNKNOWN


def find(value: Any, pattern: str) -> Iterator[tuple[str, Any]]:
    """Yield every value that the pattern means, with its own path: `taints[0].effect`."""
    head, _, rest = pattern.partition(".")
    name = head.removesuffix("[]")
    if not isinstance(value, Mapping) or value.get(name) is None:
        return
    found = [(name, value[name])]
    if head != name:
        items = value[name] if isinstance(value[name], list) else []
        found = [(f"{name}[{i}]", item) for i, item in enumerate(items)]
    for path, below in found:
        if not rest:
            yield path, below
        else:
            yield from ((f"{path}.{under}", deep) for under, deep in find(below, rest))


def value_at(inputs: Any, path: str) -> Any:
    """Return the value at a path without lists; None where there is none."""
    return next((value for _, value in find(inputs, path)), None)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every scalar, and every empty list or mapping, with its path."""
    if isinstance(value, Mapping) and value:
        for name, below in value.items():
            yield from leaves(below, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for i, below in enumerate(value):
            yield from leaves(below, f"{path}[{i}]")
    else:
        yield path, value


def is_below(path: str, root: str) -> bool:
    """Whether a path is the root's own or of something in it; indices in `path` are any index."""
    plain = re.sub(r"\[\d+\]", "", path)
    wanted = root.replace("[]", "")
    return plain == wanted or plain.startswith(f"{wanted}.")


def merged(base: Any, over: Any) -> Any:
    """Return `base` with everything in `over` put over it, object by object."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        both = {key: merged(base[key], over[key]) for key in base if key in over}
        return {**base, **over, **both}
    return over


def unknown(value: Any) -> Any:
    """Return the same object with every scalar unknown."""
    if isinstance(value, Mapping):
        return {key: unknown(below) for key, below in value.items()}
    return UNKNOWN
