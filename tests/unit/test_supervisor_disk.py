"""What a member remembers on its disk, and what it may never lose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from containers.etcd.supervisor.disk import Volume
from containers.etcd.supervisor.membership import View
from containers.etcd.supervisor.rules import Disk
from tests.support.views import CLUSTER, member, view


def write(volume: Volume, cluster_id: int, member_id: int) -> None:
    """Record an identity as a joining unit does, while nobody leads."""
    volume.write_identity(View(cluster_id, (), {}), member(member_id, "etcd-0"))


def with_data(directory: Path, text: str = "log") -> Path:
    """Make a data directory as etcd does; return the log file."""
    log = directory / "data" / "member" / "wal" / "0000000000000000-0000000000000000.wal"
    log.parent.mkdir(parents=True)
    log.write_text(text)
    return log


def test_an_empty_disk_is_empty(tmp_path: Path) -> None:
    assert Volume(tmp_path).read() == Disk(data=False)


def test_data_is_there_only_once_etcd_has_written_its_log(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    assert not Volume(tmp_path).read().data
    (tmp_path / "data" / "member" / "snap").mkdir(parents=True)
    assert not Volume(tmp_path).read().data
    (tmp_path / "data" / "member" / "wal").mkdir()
    assert not Volume(tmp_path).read().data, "made and not yet written to"
    assert not Volume(tmp_path).may_hold_data()
    (tmp_path / "data" / "member" / "wal" / "0.wal").write_text("x")
    assert Volume(tmp_path).read().data
    assert Volume(tmp_path).may_hold_data()


def test_a_disk_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the place of a folder stands for a broken disk")
    with pytest.raises(NotADirectoryError):
        Volume(tmp_path).read()
    assert Volume(tmp_path).may_hold_data()


def test_a_disk_without_room_is_found_out_before_anything_depends_on_it(tmp_path: Path) -> None:
    Volume(tmp_path).require_room()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "probe.tmp").mkdir()
    with pytest.raises(OSError, match="directory"):
        Volume(tmp_path).require_room()


def test_the_identity_outlives_the_process(tmp_path: Path) -> None:
    write(Volume(tmp_path), 2**64 - 1, 2**63 + 1)
    disk = Volume(tmp_path).read(ended=True)
    assert (disk.cluster_id, disk.member_id) == (2**64 - 1, 2**63 + 1)
    assert disk.ended
    assert disk.peer_url == member(2**63 + 1, "etcd-0").peer_url


def test_a_voter_remembers_which_cluster_it_voted_in_and_how_far_that_was(tmp_path: Path) -> None:
    me = member(1, "etcd-0")
    Volume(tmp_path).write_identity(view([me], index=7), me, "the-mark")
    disk = Volume(tmp_path).read()
    assert (disk.cluster_id, disk.member_id) == (CLUSTER, 1)
    assert (disk.birth, disk.revision) == ("the-mark", 7)


def test_what_was_recorded_stays_where_nothing_can_be_said_now(tmp_path: Path) -> None:
    me, volume = member(1, "etcd-0"), Volume(tmp_path)
    volume.write_identity(view([me], index=7), me, "the-mark")
    volume.write_identity(view([me], leader=0), me, None)
    assert (volume.read().birth, volume.read().revision) == ("the-mark", 7)
    volume.write_identity(view([me], index=8), me, "")
    assert (volume.read().birth, volume.read().revision) == ("the-mark", 8)
    other = member(2, "etcd-0")
    volume.write_identity(view([other], leader=0), other, None)
    assert (volume.read().birth, volume.read().revision) == (None, None), "of another member"


def test_a_new_identity_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    write(volume, 1, 2)
    write(volume, 1, 3)
    assert volume.read().member_id == 3
    assert [p.name for p in tmp_path.iterdir()] == ["identity.json"], "nothing is left behind"


def test_the_identity_is_on_the_disk_before_etcd_may_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content first, then the name, then the folder that holds the name."""
    steps: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        steps.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        real_sync(descriptor)

    def replace(source: Path, target: Path) -> None:
        assert source.read_text().endswith("}"), "whole before it has its name"
        steps.append(f"replace {target.name}")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    write(Volume(tmp_path), 1, 2)
    assert steps == ["sync identity.tmp", "replace identity.json", f"sync {tmp_path.name}"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"cluster_id": 1, "mem', id="cut off"),
        pytest.param(b"\x00" * 512, id="zeros, as after a crash of the node"),
        pytest.param(b"\xff\xfe\x80", id="no text"),
        pytest.param(b"[]", id="another shape"),
        pytest.param(b"7", id="a number"),
        pytest.param(b'{"cluster_id": 1}', id="half of it"),
        pytest.param(b'{"cluster_id": null, "member_id": null}', id="nulls"),
        pytest.param(b'{"cluster_id": "x", "member_id": 2}', id="no number"),
        pytest.param(b'{"cluster_id": 1, "member_id": 2, "revision": "x"}', id="edited by hand"),
    ],
)
def test_a_damaged_identity_is_a_lost_one_and_data_counts_all_the_same(
    tmp_path: Path, content: bytes
) -> None:
    with_data(tmp_path)
    (tmp_path / "identity.json").write_bytes(content)
    assert Volume(tmp_path).read() == Disk(data=True)


def test_data_that_is_set_aside_is_whole_and_the_disk_is_empty(tmp_path: Path) -> None:
    with_data(tmp_path, "precious")
    volume = Volume(tmp_path)
    write(volume, 0xC1, 0xAB)
    aside = volume.set_data_aside()
    assert aside == tmp_path / "removed-ab"
    assert next(aside.rglob("*.wal")).read_text() == "precious"
    assert volume.read() == Disk(data=False), "identity and all"


def test_data_set_aside_never_overwrites_what_was_set_aside_before(tmp_path: Path) -> None:
    volume = Volume(tmp_path)
    found: list[Path] = []
    for text in ("first", "second", "third"):
        with_data(tmp_path, text)
        write(volume, 0xC1, 0xAB)
        found.append(volume.set_data_aside())
    assert len(set(found)) == 3
    assert [next(p.rglob("*.wal")).read_text() for p in found] == ["first", "second", "third"]


def test_a_member_that_votes_keeps_no_older_data(tmp_path: Path) -> None:
    """It has all of that, and more; a disk holds etcd's quota twice, and no third copy."""
    volume = Volume(tmp_path)
    for text in ("first", "second"):
        with_data(tmp_path, text)
        write(volume, 0xC1, 0xAA)
        volume.set_data_aside()
    with_data(tmp_path, "of now")
    volume.drop_what_was_set_aside()
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_data_of_an_unknown_member_is_set_aside_too(tmp_path: Path) -> None:
    with_data(tmp_path)
    assert Volume(tmp_path).set_data_aside().name == "removed-0"


def test_a_started_discovery_is_remembered(tmp_path: Path) -> None:
    assert not Volume(tmp_path).discovery_started
    Volume(tmp_path).mark_discovery_started("token")
    assert Volume(tmp_path).discovery_started
