"""A unit's main loop with real etcd, on loopback: what happens while it joins and runs."""

from __future__ import annotations

import fcntl
import json
import subprocess
from pathlib import Path

import pytest

from containers.etcd.supervisor import health as health_module
from containers.etcd.supervisor import rules, stuck
from containers.etcd.supervisor.membership import History, observe
from tests.support.joining import Member, seen_at, voting
from tests.support.supervisor import Supervisor, eventually, passes, told, when_possible

VALUE = "x" * 100_000


def test_a_kubelet_that_asks_nobody_ends_no_etcd(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while it is restarted: the unit follows a leader that it reaches, and serves."""
    monkeypatch.setattr(stuck, "APART_SECONDS", 0.1)
    with member.running() as health:
        eventually("a voter", voting(health))
        eventually("etcd to be ready", health.ready)
        passes(health, 2)
        monkeypatch.setattr(health_module, "FRESH_SECONDS", 0.1)
        eventually("the answer to be old", lambda: health.ready_seconds() == 0)
        passes(health, 4)
        assert member.start_count() == 1


def test_no_id_is_used_up_where_it_cannot_be_noted(member: Member) -> None:
    (member.volume / "probe.tmp").mkdir()
    with member.running() as health:
        eventually("the unit to say why", lambda: "Is a directory" in health.phase)
        passes(health, 3)
        assert set(member.cluster.members()) == {"etcd-seed-0"}
        (member.volume / "probe.tmp").rmdir()
        eventually("a voter", voting(health))


def test_a_disk_without_room_for_a_note_ends_no_etcd(member: Member) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
        member.cluster.ctl("put", "key", "so that there is another revision to be noted")
    (member.volume / "identity.tmp").mkdir()
    (member.volume / "removed-9").mkdir()
    with member.running() as health:
        eventually("a voter", voting(health))
        passes(health, 3)
        assert member.start_count() == 2
        assert not (member.volume / "removed-9").exists(), "what takes the room is the first to go"
        assert member.unit.ctl("get", "key")


def test_an_alarm_is_named_and_ends_as_the_runbook_says(member: Member) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
        eventually("the database to be full", lambda: bool(_is_refused(member.unit, VALUE * 10)))
        eventually("it to be named", lambda: "alarm:NOSPACE" in _reason(member.cluster.url))

        said = when_possible(lambda: member.unit.ctl("endpoint", "status", "-w", "json"))
        revision = json.loads(said)[0]["Status"]["header"]["revision"]
        member.unit.ctl("compact", "--physical", str(revision))
        for each in (member.unit, member.cluster):
            when_possible(lambda each=each: each.ctl("defrag"))
        when_possible(lambda: member.unit.ctl("alarm", "disarm"))
        when_possible(lambda: member.unit.ctl("put", "key", VALUE))
        eventually("all to say so", lambda: _errors(member.cluster.url) == [(), ()])


def test_a_full_database_keeps_no_unit_away(member: Member) -> None:
    """Whose disk was lost, say, in the night: etcd refuses to write keys then, and nothing else."""
    member.cluster.stop()
    member.cluster.env["ETCD_QUOTA_BACKEND_BYTES"] = str(4 * 1024**2)
    member.cluster.start()
    eventually("the cluster to be ready", lambda: member.cluster.ready)
    eventually("the database to be full", lambda: bool(_is_refused(member.cluster, VALUE * 10)))
    with member.running() as health:
        eventually("a voter", voting(health))
        eventually("to serve", health.ready)
        assert told("an answer", lambda: _is_refused(member.unit, "small")), "the alarm stands"


def test_the_log_of_large_values_is_let_go_by_a_snapshot(member: Member) -> None:
    """A file that etcd holds stays on the disk, however many there are; with its own default these
    would be held until there are 10 000 entries."""
    member.unit.settings |= {"MEMBER_QUOTA_BYTES": str(1024**3), "MEMBER_SNAPSHOT_COUNT": "10"}
    with member.running() as health:
        eventually("a voter", voting(health))
        first = member.volume / "data" / "member" / "wal" / f"{0:016x}-{0:016x}.wal"
        assert _is_held(first)
        for _ in range(80):  # a file of the log has 64 MiB
            when_possible(lambda: member.unit.ctl("put", "key", stdin=VALUE * 10))
        eventually("the first file to be let go", lambda: not _is_held(first))


def _is_held(file: Path) -> bool:
    with file.open("r+b") as opened:
        try:
            fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _is_refused(etcd: Supervisor, value: str) -> bool | None:
    """Whether etcd takes no value for want of room; None where it says nothing of that."""
    try:
        etcd.ctl("put", "key", stdin=value)
    except subprocess.CalledProcessError as error:
        return "database space exceeded" in error.stderr or None
    except subprocess.TimeoutExpired:
        return None
    return False


def _reason(url: str) -> str:
    """Why nobody may join or leave now."""
    seen = seen_at(url)
    return rules.unsettled(seen, observe(History(), seen, 0.0), 0.0) or ""


def _errors(url: str) -> list[tuple[str, ...]]:
    return [status.errors for status in seen_at(url).statuses.values()]
