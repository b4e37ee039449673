"""Configs of stacks, good and nearly good."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, get_type_hints

import pytest

from components.settings import Settings, SettingsError, parse

GOOD: dict[str, Any] = {
    "image": {"registry": "localhost:5000"},
    "kubernetes": {"context": "lab"},
}
"""What a stack must say; the rest has defaults."""

DIGEST = f"sha256:{'a1' * 32}"


def with_value(path: str, value: object) -> dict[str, Any]:
    """The good config with one more value, at `group.key` or `group`."""
    config = copy.deepcopy(GOOD)
    group, _, key = path.partition(".")
    if key:
        config.setdefault(group, {})[key] = value
    else:
        config[group] = value
    return config


def with_values(values: dict[str, object]) -> dict[str, Any]:
    config = copy.deepcopy(GOOD)
    for path, value in values.items():
        group, _, key = path.partition(".")
        config.setdefault(group, {})[key] = value
    return config


def problems(config: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        parse(config)
    return caught.value.problems


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def groups() -> dict[str, Any]:
    """The dataclass of each group."""
    hints = get_type_hints(Settings)
    return {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}


def keys(kind: Any) -> list[str]:
    return [camel(field.name) for field in dataclasses.fields(kind)]
