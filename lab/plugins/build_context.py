"""What a Docker build context contains, as one digest: equal digests make equal images."""

import hashlib
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


def digest(context: Path, dockerfile: Path) -> str:
    """Return the SHA-256 of the Dockerfile and of every file that the build can see.

    Paths, contents, link targets and executable bits count; owners and times do not.
    Source of the rules on .dockerignore: docs.docker.com/build/concepts/context.
    """
    total = hashlib.sha256(_sealed(dockerfile.read_bytes()))
    rules = parse_ignore_file(_ignore_text(context, dockerfile))
    for path in _files(context):
        name = path.relative_to(context).as_posix()
        if is_ignored(name, rules):
            continue
        total.update(_sealed(name.encode()))
        if path.is_symlink():
            total.update(_sealed(b"link " + os.fsencode(path.readlink())))
        else:
            kind = b"program " if path.stat().st_mode & 0o111 else b"file "
            total.update(_sealed(kind + path.read_bytes()))
    return total.hexdigest()


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


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        # Sorted: the digest must not depend on the order in which the disk lists them.
        folders.sort()
        links = [name for name in folders if Path(root, name).is_symlink()]
        yield from (Path(root, name) for name in sorted(files + links))


def _sealed(content: bytes) -> bytes:
    """Digest of one item, so that where it ends cannot be mistaken."""
    return hashlib.sha256(content).digest()
