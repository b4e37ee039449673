"""Labels, which Google takes in one form and the provider adds to."""

import re
from collections.abc import Mapping
from typing import Any

from lab.plugins.gcp.resource import Problem
from lab.plugins.unknown import is_unknown

MOST = 64

_KEY = "[a-z][a-z0-9_-]{0,62}"
_VALUE = "[a-z0-9_-]{0,63}"


def label_problems(path: str, labels: Any) -> list[Problem]:
    """Return what Google would refuse in a mapping of labels; its type is checked elsewhere."""
    if not isinstance(labels, Mapping):
        return []
    problems = [
        (path, f"has the key {key!r}; allowed: a letter, then up to 62 of a-z, 0-9, '_', '-'")
        for key in labels
        if not re.fullmatch(_KEY, key)
    ]
    problems += [
        (f"{path}.{key}", f"is {value!r}; allowed: up to 63 of a-z, 0-9, '_', '-'")
        for key, value in labels.items()
        if not is_unknown(value) and not re.fullmatch(_VALUE, str(value))
    ]
    if len(labels) > MOST:
        problems.append((path, f"has {len(labels)} labels; allowed: up to {MOST}"))
    return problems


def label_outputs(labels: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the provider's two views of a resource's labels; it adds one of its own."""
    everything = {**(labels or {}), "goog-pulumi-provisioned": "true"}
    return {"effectiveLabels": everything, "pulumiLabels": everything}
