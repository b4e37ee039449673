"""The cache: folders made once for each set of inputs and shared by all labs of a machine."""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import Report

PROGRESS_SECONDS = 10
"""The longest silence that a person sees while something is made."""


def root() -> Path:
    """Return the cache folder: `$ETCD_LAB_CACHE`, or `etcd-lab` in the user's cache folder."""
    if own := os.environ.get("ETCD_LAB_CACHE"):
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "etcd-lab"


def log_file(name: str) -> Path:
    """Return the log of what is made under `name`; each run begins it anew."""
    folder = root() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


def key(*inputs: str | Path) -> str:
    """Return the key of a set of inputs: texts, and files that count by their content."""
    digest = hashlib.sha256()
    for value in inputs:
        content = value.read_bytes() if isinstance(value, Path) else value.encode()
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(b"%d:" % len(content) + content)
    return digest.hexdigest()[:12]


def folder(name: str, key: str, make: Callable[[Path], None], report: Report) -> Path:
    """Return the folder `name-key`; a missing one is filled by `make` under another name first.

    A run that is killed leaves a draft, which the next one removes: a half-made folder is never
    taken for a whole one. Only one process makes a thing; another one waits for it.
    """
    made = root() / f"{name}-{key}"
    if made.exists():
        return made
    with _locked(name, report):
        if made.exists():
            return made
        drafts = root() / "drafts"
        drafts.mkdir(parents=True, exist_ok=True)
        for stale in drafts.glob(f"{name}-{key}.*"):
            shutil.rmtree(stale)
        draft = Path(tempfile.mkdtemp(prefix=f"{name}-{key}.", dir=drafts))
        try:
            make(draft)
            draft.chmod(0o755)
            draft.rename(made)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return made


@contextmanager
def _locked(name: str, report: Report) -> Generator[None]:
    locks = root() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / name).open("w") as lock:
        began = time.monotonic()
        said = 0.0
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - began
                if waited - said >= PROGRESS_SECONDS:
                    report(f"{name}: another command is making it, {waited:.0f} s")
                    said = waited
                time.sleep(0.2)
        yield
