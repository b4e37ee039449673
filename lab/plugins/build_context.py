"""What a Docker build context contains, as one digest: equal digests make equal images."""

import hashlib
import os
from pathlib import Path

from components.build_context import files


def digest(context: Path, dockerfile: Path) -> str:
    """Return the SHA-256 of the Dockerfile and of every file that the build can see.

    Paths, contents, link targets and executable bits count; owners and times do not.
    """
    total = hashlib.sha256(_sealed(dockerfile.read_bytes()))
    for path in files(context, dockerfile):
        total.update(_sealed(path.relative_to(context).as_posix().encode()))
        if path.is_symlink():
            total.update(_sealed(b"link " + os.fsencode(path.readlink())))
        else:
            kind = b"program " if path.stat().st_mode & 0o111 else b"file "
            total.update(_sealed(kind + path.read_bytes()))
    return total.hexdigest()


def _sealed(content: bytes) -> bytes:
    """Digest of one item, so that where it ends cannot be mistaken."""
    return hashlib.sha256(content).digest()
