"""A unit with real etcd whose authentication a client has enabled: it tells the unit nothing."""

from __future__ import annotations

import shutil

from containers.etcd.supervisor import metrics
from containers.etcd.supervisor.etcdctl import read_view, wants_a_user
from tests.support.joining import Member, never_serves_before, voting
from tests.support.supervisor import Supervisor, eventually, passes, supervisors, told


def enable(etcd: Supervisor) -> None:
    etcd.ctl("user", "add", "root:secret")
    etcd.ctl("user", "grant-role", "root", "root")
    etcd.ctl("auth", "enable")


def test_a_unit_that_is_restarted_serves_clients_again(member: Member) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
        ids = member.unit.members()
        enable(member.cluster)
        eventually("nobody to be seen", lambda: wants_a_user(member.unit.url))
        figure = told("its ID", lambda: metrics.member_id(member.unit.metrics_port))
        assert figure == ids["etcd-0"]
        assert read_view(member.cluster.url) is None
    with member.running() as health:
        eventually("to serve again", health.ready)
        assert "authentication is on" in health.phase
        passes(health, 2)
        eventually("to serve still", health.ready)
        member.cluster.ctl("--user", "root:secret", "auth", "disable")
        eventually("a voter", voting(health))
        assert member.unit.members() == ids
        eventually("to serve still", health.ready)


def test_another_clusters_data_does_not_serve_where_it_wants_a_user_as_well(member: Member) -> None:
    with member.running() as health:
        eventually("a voter", voting(health))
    with supervisors() as known:
        directory = member.volume / "of"
        other = Supervisor(member.programs, directory, "etcd-9", role="discovery")
        known.append(other)
        other.start()
        eventually("another cluster", lambda: other.ready)
        enable(other)
    shutil.rmtree(member.volume / "data")
    shutil.move(directory / "data", member.volume / "data")
    member.cluster.stop()
    with member.running() as health:
        never_serves_before("not serving: the data here is of member", health)
        eventually("it to want a user", lambda: wants_a_user(member.unit.url))
