"""What of a folder a Docker build sees: what its .dockerignore leaves. Pure but for the reading.

Source of the rules: docs.docker.com/build/concepts/context. The official Docker plugin goes by the
same file, in what it sends and in what it compares (`hashContext` in pulumi-docker's provider).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Rule:
    """One line of a .dockerignore file."""

    pattern: re.Pattern[str]
    excludes: bool
    """False for a line that begins with `!`, which takes paths back in."""


def files(context: Path, dockerfile: Path) -> list[Path]:
    """Return every file and link that the build sees, always in the same order.

    The Dockerfile is one of them, whatever the rules say: the builder reads it.
    """
    rules = parse_ignore_file(_ignore_text(context, dockerfile))
    return [
        path
        for path in _all(context)
        if path == dockerfile or not is_ignored(path.relative_to(context).as_posix(), rules)
    ]


def parse_ignore_file(text: str) -> list[Rule]:
    """Return the rules of a .dockerignore file in their order."""
    rules: list[Rule] = []
    for line in text.splitlines():
        words = line.strip()
        if not words or line.startswith("#"):
            continue
        excludes = not words.startswith("!")
        pattern = os.path.normpath(words.removeprefix("!").strip()).lstrip("/")
        if pattern != ".":
            rules.append(Rule(re.compile(_expression(pattern)), excludes))
    return rules


def is_ignored(path: str, rules: Sequence[Rule]) -> bool:
    """Whether a path relative to the context is left out; the last rule that matches it decides.

    A rule that matches a folder matches all below it.
    """
    ignored = False
    for rule in rules:
        if rule.pattern.fullmatch(path):
            ignored = rule.excludes
    return ignored


def _expression(pattern: str) -> str:
    """Translate Go's filepath.Match, extended by `**` for any number of folders."""
    parts: list[str] = []
    for token in re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]*\]|\\.|.", pattern):
        match token:
            case "**/":
                parts.append(r"(?:.*/)?")
            case "**":
                parts.append(r".*")
            case "*":
                parts.append(r"[^/]*")
            case "?":
                parts.append(r"[^/]")
            case _ if token[0] == "[" and len(token) > 1:
                parts.append(token)
            case _:
                parts.append(re.escape(token.removeprefix("\\") or token))
    return "".join(parts) + r"(?:/.*)?"


def _ignore_text(context: Path, dockerfile: Path) -> str:
    # BuildKit prefers an ignore file that belongs to the Dockerfile.
    for file in (
        dockerfile.with_name(f"{dockerfile.name}.dockerignore"),
        context / ".dockerignore",
    ):
        if file.exists():
            return file.read_text()
    return ""


def _all(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        # Sorted: nothing may depend on the order in which the disk lists them.
        folders.sort()
        links = [name for name in folders if Path(root, name).is_symlink()]
        yield from (Path(root, name) for name in sorted(files + links))
