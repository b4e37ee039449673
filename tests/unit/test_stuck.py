"""When an etcd is started again because it would go on by itself only much later.

That real etcd is in these states is shown by the fault suite (scenario 6) and by benchmarks; the
whole start again by `tests/provider/test_supervisor_process.py`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from containers.etcd.supervisor import stuck
from containers.etcd.supervisor.membership import View
from tests.support.answers import Reply, closed_port, serving
from tests.support.views import member, view

TRIO = [member(1, "etcd-0"), member(2, "etcd-1"), member(3, "etcd-2")]


def without_a_leader(seen: View, number: int) -> View:
    """The same, but this member says that it knows no leader."""
    status = replace(seen.statuses[number], leader_id=0)
    return replace(seen, statuses={**seen.statuses, number: status})


def test_the_leader_that_a_voter_does_not_know_is_the_one_that_others_follow() -> None:
    seen = view(TRIO, leader=1)
    assert stuck.unknown_leader(without_a_leader(seen, 3), TRIO[2]) == TRIO[0]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(view(TRIO, leader=1), id="it follows the leader"),
        pytest.param(view(TRIO, leader=3), id="it leads"),
        pytest.param(view(TRIO, leader=0), id="nobody leads"),
        pytest.param(view(TRIO, leader=1, silent=[3]), id="its etcd does not answer"),
    ],
)
def test_there_is_no_unknown_leader(seen: View) -> None:
    assert stuck.unknown_leader(seen, TRIO[2]) is None


def test_a_leader_that_cannot_be_reached_is_no_reason_for_a_start() -> None:
    with serving(Reply()) as server:
        for port, expected in ((server.port, True), (closed_port(), False)):
            leader = replace(TRIO[0], peer_url=f"http://127.0.0.1:{port}")
            seen = without_a_leader(view([leader, *TRIO[1:]], leader=1), 3)
            assert stuck.apart(seen, TRIO[2]) is expected


def test_an_etcd_is_mute_that_has_applied_and_does_not_serve() -> None:
    applied = "# TYPE etcd_server_proposals_applied_total gauge\n"
    applied += "etcd_server_proposals_applied_total 7096\n"
    with serving(Reply(body=applied)) as metrics, serving(Reply()) as clients:
        assert stuck.mute(closed_port(), metrics.port)
        assert not stuck.mute(clients.port, metrics.port), "it serves"
    with serving(Reply(body=applied.replace(" 7096", " 0"))) as metrics:
        assert not stuck.mute(closed_port(), metrics.port), "a snapshot may still be on its way"
    with serving(Reply(body="")) as metrics:
        assert not stuck.mute(closed_port(), metrics.port)
    assert not stuck.mute(closed_port(), closed_port())


def test_what_is_seen_for_a_moment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(stuck.time, "monotonic", lambda: now)
    lasting = stuck.Lasting(3.0)
    assert not lasting.seen(True)
    now = 102.9
    assert not lasting.seen(True)
    assert not lasting.seen(False)
    now = 103.1
    assert not lasting.seen(True), "it begins anew"
    now = 106.1
    assert lasting.seen(True)
