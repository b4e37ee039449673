"""The stand-in's cloud: one file in the lab, which every plugin process reads and writes."""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

Resources = dict[str, "Record"]
"""Everything that there is, by the provider's ID."""


class Record(TypedDict):
    """One resource that exists. A test that plays an outsider edits `inputs`."""

    type: str
    inputs: dict[str, Any]
    body: dict[str, Any]
    """What Google's API was sent."""
    parents: list[str]
    """IDs of what it needs."""


class Cloud:
    """A folder with `cloud.json`; `faults.json` beside it is what is to go wrong (faults.py)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def file(self) -> Path:
        return self.folder / "cloud.json"

    def resources(self) -> Resources:
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    @contextmanager
    def changing(self) -> Generator[Resources]:
        """Give everything that there is; what was made of it is kept unless an error is raised."""
        with self.locked():
            resources = self.resources()
            yield resources
            write(self.file, resources)

    @contextmanager
    def locked(self) -> Generator[None]:
        """Let one thread of one process at a time work on the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def write(file: Path, content: Any) -> None:
    """Replace a JSON file in one step: a process may be killed at any moment."""
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    draft.rename(file)
