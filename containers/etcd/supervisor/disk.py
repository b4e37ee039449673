"""The member's volume: etcd's data, the identity file, the mark of a started discovery."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .rules import Disk


class Volume:
    """Reads and writes the few files that decide how a member starts."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._data = directory / "data"
        self._identity = directory / "identity.json"
        self._discovery = directory / "discovery-started"

    def read(self, *, removed: bool = False) -> Disk:
        """Return what the disk says; `removed` is passed on to the rules."""
        cluster_id, member_id = self._read_identity()
        wal = self._data / "member" / "wal"
        return Disk(
            data=wal.is_dir() and any(wal.iterdir()),
            cluster_id=cluster_id,
            member_id=member_id,
            removed=removed,
        )

    def write_identity(self, cluster_id: int, member_id: int, peer_url: str) -> None:
        """Record who this disk belongs to, durably, before etcd writes its first byte."""
        self._write(
            self._identity,
            json.dumps({"cluster_id": cluster_id, "member_id": member_id, "peer_url": peer_url}),
        )

    def mark_discovery_started(self, token: str) -> None:
        """From here on the token holds this member's ID: a second start with it must not be."""
        self._write(self._discovery, token)

    @property
    def discovery_started(self) -> bool:
        return self._discovery.exists()

    def set_data_aside(self) -> Path:
        """Move the data of a removed ID out of the way, whole, so that nothing is ever lost."""
        _, member_id = self._read_identity()
        aside = self._directory / f"removed-{member_id or 0:x}"
        serial = 0
        while aside.exists():
            serial += 1
            aside = self._directory / f"removed-{member_id or 0:x}-{serial}"
        self._data.rename(aside)
        self._identity.unlink(missing_ok=True)
        self._sync()
        return aside

    def _read_identity(self) -> tuple[int | None, int | None]:
        try:
            identity = json.loads(self._identity.read_text())
            return int(identity["cluster_id"]), int(identity["member_id"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            # Lost or damaged: the rules know what to do without it.
            return None, None

    def _write(self, path: Path, text: str) -> None:
        temporary = path.with_suffix(".tmp")
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        self._sync()

    def _sync(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
