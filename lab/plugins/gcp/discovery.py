"""Google's discovery documents: what the APIs publish about the bodies that they take."""

import functools
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.plugins.gcp.resource import Problem
from lab.plugins.unknown import is_unknown

_FORMATS = {
    "google-duration": (r"-?\d+(\.\d{1,9})?s", "seconds that end in s, as 3600s"),
    "google-datetime": (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)",
        "a time as 2026-01-31T04:00:00Z",
    ),
    "int64": (r"-?\d+", "an integer"),
    "uint64": (r"\d+", "an integer, 0 or more"),
}
_INT32 = 2**31


@functools.cache
def schemas(document: str) -> dict[str, Any]:
    """Return the schemas of an API's document, by name.

    Raises ModuleNotFoundError where this Python has no google-api-python-client.
    """
    # The package itself is not imported: it would take longer than everything else here.
    spec = importlib.util.find_spec("googleapiclient")
    if not spec or not spec.origin:
        raise ModuleNotFoundError("this Python has no google-api-python-client")
    folder = Path(spec.origin).parent / "discovery_cache" / "documents"
    return json.loads((folder / f"{document}.json").read_text())["schemas"]


def check(body: Mapping[str, Any], document: str, schema: str) -> list[Problem]:
    """Return what the API would refuse, by path in the body. Unknown values are left out."""
    return list(_object(body, schemas(document), schemas(document)[schema], ""))


def _any(
    value: Any, known: Mapping[str, Any], node: Mapping[str, Any], path: str
) -> Iterator[Problem]:
    if is_unknown(value):
        return
    if "$ref" in node:
        node = known[node["$ref"]]
    if node.get("readOnly"):
        yield path, "is set by Google alone"
        return
    match node["type"]:
        case "object":
            if isinstance(value, Mapping):
                yield from _object(value, known, node, path)
            else:
                yield path, f"is {value!r}; an object is expected"
        case "array":
            if isinstance(value, list):
                for i, item in enumerate(value):
                    yield from _any(item, known, node["items"], f"{path}[{i}]")
            else:
                yield path, f"is {value!r}; a list is expected"
        case _:
            wrong = _scalar(value, node)
            if wrong:
                yield path, f"is {value!r}; {wrong}"


def _object(
    value: Mapping[str, Any], known: Mapping[str, Any], node: Mapping[str, Any], path: str
) -> Iterator[Problem]:
    start = f"{path}." if path else ""
    fields: Mapping[str, Any] = node.get("properties") or {}
    others: Mapping[str, Any] | None = node.get("additionalProperties")
    for name, below in value.items():
        inner = fields.get(name, others)
        if inner is None:
            yield f"{start}{name}", f"is no field of {node.get('id')} in Google's API"
        else:
            yield from _any(below, known, inner, f"{start}{name}")
    for name, inner in fields.items():
        if _is_required(inner) and value.get(name) is None:
            yield f"{start}{name}", f"is not set; Google's API requires it in {node.get('id')}"


def _is_required(node: Mapping[str, Any]) -> bool:
    """Documents mark it in two ways."""
    says = str(node.get("description", "")).lower()
    return says.startswith("required.") or bool((node.get("annotations") or {}).get("required"))


def _scalar(value: Any, node: Mapping[str, Any]) -> str:
    """Return what is expected instead; empty if the value will do."""
    kind, form = node["type"], node.get("format")
    if kind == "boolean":
        return "" if isinstance(value, bool) else "true or false is expected"
    if kind == "integer":
        fits = _is_integer(value) and -_INT32 <= value < _INT32
        return "" if fits else "an integer is expected"
    if kind == "number":
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if fits else "a number is expected"
    if form in ("int64", "uint64") and _is_integer(value):
        # The provider takes a number for what JSON of Google's carries as text.
        value = str(int(value))
    if not isinstance(value, str):
        return "a text is expected"
    if "enum" in node and value not in node["enum"]:
        return f"allowed: {', '.join(node['enum'])}"
    expression, allowed = _FORMATS.get(form or "", (node.get("pattern") or ".*", ""))
    if not re.fullmatch(expression, value, re.DOTALL):
        return f"allowed: {allowed or expression}"
    return ""


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
