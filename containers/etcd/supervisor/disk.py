"""The member's volume: etcd's data, the identity file, the mark of a started discovery."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .membership import Member, View
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
        identity = self._read_identity()
        wal = self._data / "member" / "wal"
        return Disk(
            data=wal.is_dir() and any(wal.iterdir()),
            cluster_id=identity.get("cluster_id"),
            member_id=identity.get("member_id"),
            birth=identity.get("birth"),
            revision=identity.get("revision"),
            removed=removed,
        )

    def write_identity(self, view: View, member: Member, birth: str | None = None) -> None:
        """Record who this disk belongs to, durably, before etcd writes its first byte.

        `birth`: the cluster's birth mark, which is read once the member votes.
        """
        leader = view.leader
        identity = {
            "cluster_id": view.cluster_id,
            "member_id": member.id,
            "peer_url": member.peer_url,
            "birth": birth,
            "revision": view.statuses[leader.id].revision if leader else None,
        }
        self._write(self._identity, json.dumps(identity))

    def mark_discovery_started(self, token: str) -> None:
        """From here on the token holds this member's ID: a second start with it must not be."""
        self._write(self._discovery, token)

    @property
    def discovery_started(self) -> bool:
        return self._discovery.exists()

    def set_data_aside(self) -> Path:
        """Move the data of a removed ID out of the way, whole, so that nothing is ever lost."""
        member_id = self._read_identity().get("member_id")
        aside = self._directory / f"removed-{member_id or 0:x}"
        serial = 0
        while aside.exists():
            serial += 1
            aside = self._directory / f"removed-{member_id or 0:x}-{serial}"
        self._data.rename(aside)
        self._identity.unlink(missing_ok=True)
        self._sync()
        return aside

    def _read_identity(self) -> dict[str, Any]:
        """What is recorded; empty when it is lost or damaged: the rules know what to do then."""
        try:
            identity = json.loads(self._identity.read_text())
            for key in ("cluster_id", "member_id"):
                identity[key] = int(identity[key])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return {}
        return identity

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
