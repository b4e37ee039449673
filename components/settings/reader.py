"""Typed reading of one config group. It collects every problem instead of stopping at one."""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

from components.settings.syntax import LABEL_KEY, Syntax

Choice = TypeVar("Choice", bound=str)

NAMESPACE = "etcd"
"""The project's name, which Pulumi puts before every key."""


class SettingsError(Exception):
    """The stack's config is refused. `str()` is all its problems, each with its way out."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = [f"the stack's config has {count} errors; nothing was touched:"] if count > 1 else []
        super().__init__("\n".join([*head, *self.problems]))


def set_value(path: str, value: str) -> str:
    """The command that sets one key."""
    return f"pulumi config set --path {shlex.quote(f'{NAMESPACE}:{path}')} {shlex.quote(value)}"


def remove_value(path: str) -> str:
    """The command that removes one key."""
    return f"pulumi config rm --path {shlex.quote(f'{NAMESPACE}:{path}')}"


def child(path: str, name: str) -> str:
    """The path of a key that may hold dots, as `pulumi config set --path` wants it."""
    plain = name.isidentifier() and name.isascii()
    return f"{path}.{name}" if plain else f"{path}[{json.dumps(name)}]"


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[found[0]] if found else None


@dataclass
class Problems:
    """All that is wrong so far."""

    texts: list[str] = field(default_factory=list[str])
    paths: set[str] = field(default_factory=set[str])

    def add(self, path: str, value: object, allowed: str, next_step: str) -> None:
        """`allowed` may be any explanation; `next_step` is the one next thing to do."""
        self.say(path, f"is {_show(value)}; {allowed}", next_step)

    def say(self, path: str, what: str, next_step: str) -> None:
        self.paths.add(path)
        self.texts.append(f"{NAMESPACE}:{path} {what}\n  Next: {next_step}")

    def none_at(self, *paths: str) -> bool:
        """Whether the values at these keys can be compared with others."""
        return not any(
            bad == path or path.startswith(f"{bad}.") for bad in self.paths for path in paths
        )


class Section:
    """One group of the config, such as `units`. Null means unset everywhere."""

    def __init__(self, problems: Problems, group: str, raw: object) -> None:
        self.problems = problems
        self.group = group
        self._known: list[str] = []
        self._broken = raw is not None and not isinstance(raw, Mapping)
        self._values: Mapping[object, object] = (
            cast("Mapping[object, object]", raw) if isinstance(raw, Mapping) else {}
        )
        if self._broken:
            problems.add(
                group,
                raw,
                "allowed: an object of keys and values",
                f"pulumi config rm {NAMESPACE}:{group}, then set single keys: "
                f"pulumi config set --path {NAMESPACE}:{group}.KEY VALUE",
            )

    def path(self, key: str) -> str:
        return f"{self.group}.{key}"

    def value(self, key: str) -> object:
        """The raw value, None if unset. Makes the key a known one."""
        self._known.append(key)
        return self._values.get(key)

    @property
    def known(self) -> tuple[str, ...]:
        """The keys that were asked for so far."""
        return tuple(self._known)

    def given(self, key: str) -> bool:
        """Whether the stack sets this key."""
        return self._values.get(key) is not None

    def text(self, key: str, default: str, syntax: Syntax) -> str:
        found = self.optional_text(key, syntax)
        return default if found is None else found

    def required_text(self, key: str, syntax: Syntax, why: str, next_step: str) -> str:
        """Problem if unset: `why` completes "is not set; ". Returns "" then."""
        found = self.optional_text(key, syntax)
        missing = found is None and self.problems.none_at(self.path(key))
        if missing and not self._broken:
            self.problems.say(self.path(key), f"is not set; {why}", next_step)
        return found or ""

    def optional_text(self, key: str, syntax: Syntax) -> str | None:
        return self.check_text(self.path(key), self.value(key), syntax)

    def check_text(self, path: str, value: object, syntax: Syntax) -> str | None:
        """Return `value` if it is such a text, else None (and a problem unless it is None)."""
        if value is None or (isinstance(value, str) and syntax.matches(value)):
            return value
        quote = "" if isinstance(value, str) else ", as a string: quote it in YAML"
        self.problems.add(
            path, value, f"allowed: {syntax.allowed}{quote}", set_value(path, syntax.example)
        )
        return None

    def integer(self, key: str, default: int, least: int, most: int, *, unit: str = "") -> int:
        value = self.value(key)
        if value is None:
            return default
        # bool is a subclass of int.
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        path = self.path(key)
        allowed = f"allowed: an integer from {least} to {most}{unit}{_without_quotes(value)}"
        self.problems.add(path, value, allowed, set_value(path, str(default)))
        return default

    def odd(self, key: str, default: int, most: int) -> int:
        """A number of voters."""
        value = self.value(key)
        if value is None:
            return default
        number = isinstance(value, int) and not isinstance(value, bool)
        if number and value in range(1, most + 1, 2):
            return cast(int, value)
        path = self.path(key)
        allowed = f"allowed: an odd integer from 1 to {most}{_without_quotes(value)}"
        near = default
        if number and value in range(2, most + 1):
            near = cast(int, value) - 1
            allowed += f"; an even number of voters tolerates no more failures than {near}"
        self.problems.add(path, value, allowed, set_value(path, str(near)))
        return default

    def boolean(self, key: str, default: bool) -> bool:
        value = self.value(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        path = self.path(key)
        allowed = f"allowed: true or false{_without_quotes(value)}"
        self.problems.add(path, value, allowed, set_value(path, str(default).lower()))
        return default

    def choice(self, key: str, default: Choice, options: tuple[Choice, ...]) -> Choice:
        value = self.value(key)
        if value is None:
            return default
        for option in options:
            if value == option:
                return option
        path = self.path(key)
        meant = closest(value, options) if isinstance(value, str) else None
        allowed = f"allowed: {', '.join(options)}"
        self.problems.add(path, value, allowed, set_value(path, meant or default))
        return default

    def mapping(self, key: str) -> Mapping[str, object]:
        path, value = self.path(key), self.value(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.problems.add(
                path, value, "allowed: an object of keys and values", remove_value(path)
            )
            return {}
        return {str(k): v for k, v in cast("Mapping[object, object]", value).items()}

    def texts(
        self, key: str, check_key: Callable[[str, str], bool], syntax: Syntax
    ) -> dict[str, str]:
        """An object of strings. `check_key(path, name)` reports names that are not allowed."""
        result: dict[str, str] = {}
        for name, value in self.mapping(key).items():
            path = child(self.path(key), name)
            if value is None or not check_key(path, name):
                continue
            text = self.check_text(path, value, syntax)
            if text is not None:
                result[name] = text
        return result

    def items(self, key: str, example: str) -> list[tuple[str, object]]:
        """The entries of a list, each with its path. `example`: how one entry is written."""
        path, value = self.path(key), self.value(key)
        if value is None:
            return []
        if not isinstance(value, (list, tuple)):
            self.problems.add(path, value, f"allowed: a list, [{example}]", remove_value(path))
            return []
        entries = cast("Sequence[object]", value)
        return [(f"{path}[{index}]", entry) for index, entry in enumerate(entries)]

    def finish(self) -> None:
        """Report the keys that nobody asked for. Call it after the last read."""
        for name in map(str, self._values):
            if name in self._known:
                continue
            meant = closest(name, self._known)
            path = child(self.group, name)
            self.problems.say(
                path,
                "is not a key of this program; "
                f"keys of {NAMESPACE}:{self.group}: {', '.join(self._known)}",
                f"write {self.path(meant)} instead of {path}" if meant else remove_value(path),
            )


def is_label(problems: Problems, path: str, name: str) -> bool:
    """Whether `name` can be a label's key; a problem if not."""
    if LABEL_KEY.matches(name):
        return True
    problems.say(path, f"is no label; allowed: {LABEL_KEY.allowed}", remove_value(path))
    return False


def is_object(
    problems: Problems,
    path: str,
    entry: object,
    keys: tuple[str, ...],
    *,
    required: bool = False,
) -> bool:
    """Whether `entry` is an object of `keys` alone, all of them if `required`; a problem if not."""
    shape = f"allowed: an object of {', '.join(keys)}"
    if not isinstance(entry, Mapping):
        problems.add(path, entry, shape, remove_value(path))
        return False
    fields = cast("Mapping[object, object]", entry)
    unknown = [str(name) for name in fields if name not in keys]
    missing = [name for name in keys if required and fields.get(name) is None]
    for name in unknown:
        meant = closest(name, keys)
        problems.say(
            child(path, name),
            f"is not a key of this entry; {shape}",
            f"write {meant} instead of {name}" if meant else remove_value(child(path, name)),
        )
    for name in missing:
        problems.say(f"{path}.{name}", f"is not set; {shape}", set_value(f"{path}.{name}", "..."))
    return not unknown and not missing


def _without_quotes(value: object) -> str:
    return ", without quotes" if isinstance(value, str) else ""


def _show(value: object) -> str:
    """The value as its reader wrote it, shortened."""
    try:
        text = json.dumps(value, default=repr)
    except (TypeError, ValueError, RecursionError):
        # Keys that are no strings, integers of thousands of digits, endless nesting.
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."
