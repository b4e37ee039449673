"""Copies of the product with one piece of text exchanged."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

PARTS = ("__main__.py", "Pulumi.yaml", "components", "containers")
"""What a Pulumi run of the program reads of the checkout, beside the Python environment."""


class PatchError(Exception):
    """A patch fits nowhere, or in more than one place."""


@dataclass(frozen=True)
class Patch:
    """One piece of text of one file, and what stands there instead."""

    file: str
    """Relative to the checkout."""
    old: str
    new: str

    def applied(self, text: str) -> str:
        """The text with the patch. Raises PatchError unless the old piece is there exactly once:
        a patch that no longer fits would make a whole build that passes for a broken one."""
        found = text.count(self.old)
        if found != 1:
            raise PatchError(f"{self.file} has the text {found} times, not once:\n{self.old}")
        return text.replace(self.old, self.new)


def patched_program(checkout: Path, target: Path, *patches: Patch) -> Path:
    """Copy the program to `target` and patch it there; returns `target`. Raises PatchError."""
    target.mkdir(parents=True)
    for part in PARTS:
        source = checkout / part
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target / part, ignore=ignored)
        else:
            shutil.copy(source, target / part)
    # The program's interpreter is looked for beside it (Pulumi.yaml, virtualenv).
    (target / ".venv").symlink_to(checkout / ".venv")
    for patch in patches:
        file = target / patch.file
        file.write_text(patch.applied(file.read_text()))
    return target
