"""The member's volume: etcd's data, the identity file, the mark of a started discovery."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from .config import data_dir
from .membership import Member, View
from .rules import Disk


class Volume:
    """Reads and writes the few files that decide how a member starts."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._data = data_dir(directory)
        self._identity = directory / "identity.json"
        self._discovery = directory / "discovery-started"

    def read(self, *, ended: bool = False) -> Disk:
        """Return what the disk says; `ended` is passed on to the rules."""
        identity = self._read_identity()
        return Disk(
            data=self._holds_a_log(),
            cluster_id=identity.get("cluster_id"),
            member_id=identity.get("member_id"),
            peer_url=identity.get("peer_url"),
            birth=identity.get("birth"),
            revision=identity.get("revision"),
            ended=ended,
        )

    def may_hold_data(self) -> bool:
        """Whether etcd has run on this disk, as far as it can be read."""
        try:
            return self._holds_a_log()
        except OSError:
            return True

    def _holds_a_log(self) -> bool:
        """Raises OSError for a disk that cannot be read: it must never pass for an empty one."""
        try:
            return any((self._data / "member" / "wal").iterdir())
        except FileNotFoundError:
            return False

    def write_identity(self, view: View, member: Member, birth: str | None = None) -> None:
        """Record who this disk belongs to, durably, before etcd writes its first byte.

        `birth`: the cluster's birth mark, which is read once the member votes. What was recorded
        of the same member stays where nothing can be said now. Raises OSError.
        """
        known = self._read_identity()
        mine = (known.get("cluster_id"), known.get("member_id")) == (view.cluster_id, member.id)
        before = known if mine else {}
        leader = view.leader
        identity = {
            "cluster_id": view.cluster_id,
            "member_id": member.id,
            "peer_url": member.peer_url,
            "birth": birth or before.get("birth"),
            "revision": view.statuses[leader.id].revision if leader else before.get("revision"),
        }
        if identity != known:
            self._write(self._identity, json.dumps(identity))

    def require_room(self) -> None:
        """Raise OSError where nothing can be written: a full disk, or one that is read-only."""
        probe = self._directory / "probe"
        self._write(probe, "room for an identity")
        probe.unlink()

    def mark_discovery_started(self, token: str) -> None:
        """From here on the token holds this member's ID: a second start with it must not be."""
        self._write(self._discovery, token)

    def take_discovery_mark_back(self) -> None:
        """For a start that has not been. Raises OSError; the mark may be there then."""
        self._discovery.unlink(missing_ok=True)

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

    def drop_what_was_set_aside(self) -> None:
        """For a member that votes: it has all of that, and more. Raises OSError.

        Each may be as large as etcd's quota, and the disk holds two.
        """
        for aside in self._directory.glob("removed-*"):
            shutil.rmtree(aside)

    def _read_identity(self) -> dict[str, Any]:
        """What is recorded; empty when it is lost or damaged: the rules know what to do then."""
        try:
            identity = json.loads(self._identity.read_text())
            for key in ("cluster_id", "member_id"):
                identity[key] = int(identity[key])
            if identity.get("revision") is not None:
                identity["revision"] = int(identity["revision"])
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
