"""Write a one-layer image as the archive that `docker load` and `ctr images import` read."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

_NONROOT = 65532


@dataclass(frozen=True)
class Image:
    """An image to make from a folder."""

    name: str
    entrypoint: tuple[str, ...] = ()
    user: str = ""
    env: tuple[str, ...] = ()
    modes: Mapping[str, int] = field(default_factory=dict[str, int])
    """Modes of paths below the folder that must differ from those on disk."""
    nonroot: tuple[str, ...] = ()
    """Paths that belong to user 65532; all else is root's."""

    def write(self, folder: Path, target: Path) -> None:
        """Write the image of a folder to `target/image.tar` and its ID to `target/id`.

        The same content gives the same ID, whenever and wherever it is made.
        """
        layer = target / "layer.tar"
        with layer.open("wb") as file:
            self._write_layer(folder, file)
        with layer.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        config = json.dumps(self._config(digest), sort_keys=True).encode()
        image_id = hashlib.sha256(config).hexdigest()
        manifest = [
            {"Config": f"{image_id}.json", "RepoTags": [self.name], "Layers": ["layer.tar"]}
        ]
        with tarfile.open(target / "image.tar", "w") as archive:
            _add(archive, f"{image_id}.json", config)
            _add(archive, "manifest.json", json.dumps(manifest).encode())
            archive.add(layer, "layer.tar", filter=_without_owner)
        layer.unlink()
        (target / "id").write_text(f"sha256:{image_id}")

    def _config(self, layer_digest: str) -> dict[str, Any]:
        run = {"Entrypoint": self.entrypoint, "User": self.user, "Env": self.env, "WorkingDir": "/"}
        return {
            "architecture": "amd64",
            "os": "linux",
            "config": run,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
            "created": "1970-01-01T00:00:00Z",
        }

    def _write_layer(self, folder: Path, file: IO[bytes]) -> None:
        with tarfile.open(fileobj=file, mode="w") as layer:
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder).as_posix()
                layer.add(path, name, recursive=False, filter=self._normal(name))

    def _normal(self, name: str) -> Callable[[tarfile.TarInfo], tarfile.TarInfo]:
        def normal(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            _without_owner(entry)
            entry.mode = self.modes.get(name, _mode(entry))
            if name in self.nonroot:
                entry.uid = entry.gid = _NONROOT
            return entry

        return normal


def _mode(entry: tarfile.TarInfo) -> int:
    """For everybody to read, and to run what its maker can run: a build's umask must not matter."""
    return 0o755 if entry.isdir() or entry.issym() or entry.mode & 0o100 else 0o644


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
