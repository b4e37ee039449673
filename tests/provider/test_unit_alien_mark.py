"""A unit where a client has put no text in the place of the birth mark, with real etcd."""

from __future__ import annotations

import subprocess

from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from containers.etcd.supervisor.disk import Volume
from tests.support.joining import Member, voting
from tests.support.supervisor import eventually


def test_a_unit_that_is_listed_starts_and_serves_whatever_a_client_has_put_there(
    member: Member,
) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
        assert Volume(member.volume).read().birth == "the mark"
        overwrite(member, b"\xff\xfe{\x80")
    with member.running() as health:
        eventually("a voter", voting(health))
        eventually("it to be ready", health.ready)
    assert member.start_count() == 2


def overwrite(member: Member, value: bytes) -> None:
    etcdctl = [str(member.programs["etcdctl"]), f"--endpoints={member.cluster.url}"]
    subprocess.run([*etcdctl, "put", BIRTH_KEY], input=value, check=True, timeout=10)
