"""When an etcd is started again because it would go on by itself only much later.

That real etcd is in these states is shown by the fault suite (scenario 6) and by benchmarks; the
whole start again by `tests/provider/test_supervisor_process.py`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from containers.etcd.supervisor import stuck
from containers.etcd.supervisor.membership import View
from tests.support.answers import Reply, serving
from tests.support.ports import free_port
from tests.support.views import member, view

TRIO = [member(1, "etcd-0"), member(2, "etcd-1"), member(3, "etcd-2")]


def saying(seen: View, number: int, **changed: object) -> View:
    """The same, but this member says something else."""
    status = replace(seen.statuses[number], **changed)
    return replace(seen, statuses={**seen.statuses, number: status})


LED = view(TRIO, leader=1)
ALONE = saying(LED, 3, leader_id=0, errors=("etcdserver: no leader",))


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(ALONE, id="it hears of nobody"),
        pytest.param(LED, id="it hears the leader, who does not hear it"),
    ],
)
def test_there_is_a_leader_to_follow(seen: View) -> None:
    assert stuck.leader_to_follow(seen, TRIO[2]) == TRIO[0]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(view(TRIO, leader=3), id="it leads"),
        pytest.param(view(TRIO, leader=0), id="nobody leads"),
        pytest.param(view(TRIO, leader=1, silent=[3]), id="its etcd does not answer"),
        pytest.param(saying(LED, 3, errors=("memberID:3 alarm:CORRUPT ",)), id="an alarm"),
        pytest.param(saying(LED, 3, raft_index=900, applied_index=500), id="entries to apply"),
    ],
)
def test_there_is_another_reason_for_not_being_ready(seen: View) -> None:
    assert stuck.leader_to_follow(seen, TRIO[2]) is None


def test_a_leader_that_cannot_be_reached_is_no_reason_for_a_start() -> None:
    with serving(Reply()) as server:
        for port, expected in ((server.port, True), (free_port(), False)):
            leader = replace(TRIO[0], peer_url=f"http://127.0.0.1:{port}")
            seen = view([leader, *TRIO[1:]], leader=1)
            assert stuck.apart(seen, TRIO[2]) is expected


def test_nobody_leads_although_a_majority_is_reached() -> None:
    own = ALONE.statuses[3]
    with serving(Reply()) as server:
        near = replace(TRIO[0], peer_url=f"http://127.0.0.1:{server.port}")
        far = replace(TRIO[1], peer_url=f"http://127.0.0.1:{free_port()}")
        assert stuck.leaderless([near, far, TRIO[2]], TRIO[2], own)
        assert not stuck.leaderless([far, TRIO[2]], TRIO[2], own), "half is no majority"
        following = replace(own, leader_id=1)
        assert not stuck.leaderless([near, far, TRIO[2]], TRIO[2], following)
        busy = replace(own, raft_index=900, applied_index=500)
        assert not stuck.leaderless([near, far, TRIO[2]], TRIO[2], busy)


def test_a_voter_is_started_again_once_until_it_has_been_ready() -> None:
    patience = stuck.Patience()
    assert not patience.is_needed, "it was never ready: it has its own reasons"
    patience.note_ready()
    assert patience.is_needed
    assert not patience.is_over(True, 100.0)
    assert not patience.is_over(True, 100.9)
    assert patience.is_over(True, 101.0)
    assert not stuck.Patience().is_needed, "after the start that follows"


@pytest.mark.parametrize("between", ["ready", "not apart"])
def test_only_what_lasts_without_a_break_ends_the_patience(between: str) -> None:
    patience = stuck.Patience()
    patience.note_ready()
    assert not patience.is_over(True, 100.0)
    if between == "ready":
        patience.note_ready()
    else:
        assert not patience.is_over(False, 100.5)
    assert not patience.is_over(True, 101.5), "it begins anew"
    assert patience.is_over(True, 102.5)


APPLIED = """# TYPE etcd_server_proposals_applied_total gauge
etcd_server_proposals_applied_total 7096
"""
JOINER = member(4, "etcd-3", learner=True)
UNHEARD = view([*TRIO, JOINER], leader=1, silent=[4])


def test_a_joiner_is_mute_that_is_announced_and_has_applied_and_does_not_answer() -> None:
    with serving(Reply(body=APPLIED)) as metrics:
        assert stuck.mute(UNHEARD, JOINER, metrics.port)
        heard = view([*TRIO, JOINER], leader=1)
        assert not stuck.mute(heard, JOINER, metrics.port)
        starting = member(4, "etcd-3", learner=True, started=False)
        assert not stuck.mute(view([*TRIO, starting], leader=1), starting, metrics.port)


@pytest.mark.parametrize("body", ["", APPLIED.replace(" 7096", " 0")])
def test_a_joiner_whose_snapshot_may_still_be_on_its_way_is_waited_for(body: str) -> None:
    with serving(Reply(body=body)) as metrics:
        assert not stuck.mute(UNHEARD, JOINER, metrics.port)
    assert not stuck.mute(UNHEARD, JOINER, free_port())
