"""What etcdctl says is read as it is meant, and anything else is refused.

`recorded/` holds what etcdctl 3.6.14 printed (`-w json`) about a real cluster of three on loopback:
the list with a fourth member that was added as a learner and never started, the answer of that
`member add`, and `endpoint status` with all members up, with one killed, and with two killed.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containers.etcd.supervisor.membership import (
    History,
    View,
    observe,
    parse_members,
    parse_statuses,
)
from tests.support.views import healthy_since, member, view

RECORDED = Path(__file__).parent / "recorded"
CLUSTER = 3845899646359033362
FIRST, SECOND, THIRD = 443629905751424238, 17635358836851585338, 6507954711861838126
ADDED = 7278677207187761147


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.json").read_text()


def recorded_view(statuses: str) -> View:
    cluster_id, members = parse_members(recorded("member_list"))
    return View(cluster_id, members, parse_statuses(recorded(statuses)))


def test_the_list_is_read_with_its_learner_that_has_not_started() -> None:
    cluster_id, members = parse_members(recorded("member_list"))
    assert cluster_id == CLUSTER
    by_id = {m.id: m for m in members}
    assert set(by_id) == {FIRST, SECOND, THIRD, ADDED}
    assert by_id[FIRST].name == "etcd-0"
    assert by_id[FIRST].client_url == "http://127.0.0.1:32379"
    assert by_id[FIRST].started
    assert not by_id[FIRST].learner
    added = by_id[ADDED]
    assert (added.name, added.client_url, added.learner) == ("", None, True)
    assert not added.started
    assert added.pod == "etcd-3", "known from the address before the member has a name"
    assert added.hex_id == "65030e5b1928a7fb", "etcdctl takes hexadecimal, its JSON is decimal"


def test_every_reader_sees_the_members_in_one_order() -> None:
    _, members = parse_members(recorded("member_list"))
    assert [m.peer_url for m in members] == sorted(m.peer_url for m in members)


def test_the_answer_of_an_add_is_a_list_too() -> None:
    assert parse_members(recorded("member_add")) == parse_members(recorded("member_list"))


def test_a_member_that_is_down_has_no_status_and_the_others_count() -> None:
    seen = recorded_view("status_one_down")
    assert set(seen.statuses) == {FIRST, SECOND}
    assert len(seen.voters) == 3
    assert seen.quorum == 2
    assert seen.leader is not None
    assert seen.leader.id == FIRST
    assert seen.leader_index == 9
    assert seen.statuses[SECOND].version == "3.6.14"
    # Of a file of 20480 bytes.
    assert seen.statuses[FIRST].in_use_bytes == 16384
    assert seen.statuses[SECOND].file_bytes == 20480


def test_a_member_without_a_leader_is_heard_and_nobody_leads() -> None:
    seen = recorded_view("status_no_leader")
    assert seen.statuses[FIRST].leader_id == 0
    assert seen.statuses[FIRST].errors == ("etcdserver: no leader",)
    assert seen.leader is None
    assert seen.leader_index is None


def test_nobody_answering_is_no_status_at_all() -> None:
    assert parse_statuses("") == {}
    assert parse_statuses("\n") == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Error: context deadline exceeded",
        "<html><body>503 Service Unavailable</body></html>",
        "null",
        "[]",
        "17",
        "{}",
        '{"members": []}',
        '{"header": {"cluster_id": 1}}',
        '{"header": {"cluster_id": 1}, "members": null}',
        '{"header": {"cluster_id": 1}, "members": ["etcd-0"]}',
        '{"header": {"cluster_id": 1}, "members": [{"ID": 1}]}',
        '{"header": {"cluster_id": 1}, "members": [{"ID": 1, "peerURLs": []}]}',
        '{"header": {"cluster_id": 1}, "members": [{"ID": "x", "peerURLs": ["http://a:1"]}]}',
        '{"header": {"cluster_id": "x"}, "members": []}',
        '{"header": {"cluster_id": 1}, "members": [{"ID": 1, "peerURLs": ["http://a:1"]}',
    ],
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_members(text)


@pytest.mark.parametrize(
    "text",
    [
        "Failed to get the status",
        "17",
        '{"Endpoint": "x"}',
        "[null]",
        '[{"Endpoint": "x"}]',
        '[{"Status": null}]',
        '[{"Status": {}}]',
        '[{"Status": {"header": {"cluster_id": 1}}}]',
        '[{"Status": {"header": {"cluster_id": 1, "member_id": "x"}}}]',
    ],
)
def test_what_is_no_status_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_statuses(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["header", "members", "cluster_id", "ID", "Status", "x"]), inner
        )
    ),
)


@given(json_values)
def test_garbage_never_ends_in_anything_but_a_refusal(value: object) -> None:

    for parse in (parse_members, parse_statuses):
        try:
            parse(json.dumps(value))
        except ValueError:
            continue


# ---------------------------------------------------------------- health over time

VOTERS = [member(1, "etcd-0"), member(2, "etcd-1"), member(3, "etcd-2")]


def test_health_is_counted_from_its_last_beginning() -> None:
    history = observe(History(), view(VOTERS), 10.0)
    history = observe(history, view(VOTERS), 12.0)
    assert history.healthy_for(VOTERS[2], 12.0) == 2.0
    history = observe(history, view(VOTERS, silent=(3,)), 13.0)
    assert history.healthy_for(VOTERS[2], 14.0) == -1.0
    assert history.sick_for(VOTERS[2], 14.0) == 1.0
    history = observe(history, view(VOTERS), 15.0)
    assert history.healthy_for(VOTERS[2], 16.0) == 1.0
    assert history.healthy_for(VOTERS[0], 16.0) == 6.0


def test_nobody_is_healthy_while_nobody_leads() -> None:
    history = observe(healthy_since([1, 2, 3], 0.0), view(VOTERS, leader=0), 10.0)
    assert all(history.healthy_for(m, 10.0) == -1.0 for m in VOTERS)


def test_a_follower_may_be_behind_this_round_but_not_behind_the_one_before() -> None:
    history = observe(History(), view(VOTERS, index=100), 0.0)
    busy = view(VOTERS, index=150, applied={2: 100, 3: 99})
    history = observe(history, busy, 1.0)
    assert history.healthy_for(VOTERS[1], 1.0) == 1.0
    assert history.healthy_for(VOTERS[2], 1.0) == -1.0


@pytest.mark.parametrize(
    ("later", "told", "expected"),
    [
        pytest.param(11.0, {3: 0.5}, 11.0, id="looked all the time: nothing was missed"),
        pytest.param(40.0, {3: 0.5}, 0.5, id="who says that it has just come back has"),
        pytest.param(40.0, {3: 3600.0}, 3600.0, id="who says that it was never away was not"),
        pytest.param(40.0, {3: 0.0}, 0.0, id="one that does not say"),
        pytest.param(40.0, {}, 40.0, id="one that nobody was asked about"),
    ],
)
def test_health_that_may_have_been_broken_unseen_is_what_others_say(
    later: float, told: dict[int, float], expected: float
) -> None:
    history = observe(healthy_since([1, 2, 3], 0.0), view(VOTERS), 10.0)
    history = observe(history, view(VOTERS), later, told)
    assert history.healthy_for(VOTERS[2], later) == expected


def test_sickness_counts_through_a_time_without_a_look() -> None:
    history = observe(healthy_since([1, 2], 0.0), view(VOTERS, silent=(3,)), 10.0)
    history = observe(history, view(VOTERS, silent=(3,)), 25.0, {1: 99.0, 2: 99.0})
    assert history.sick_for(VOTERS[2], 25.0) == 15.0


def test_an_outage_is_a_break_of_everybodys_health_whatever_others_say() -> None:
    history = observe(healthy_since([1, 2, 3], 0.0), None, 10.0, {1: 99.0, 2: 99.0, 3: 99.0})
    assert history == History()
    history = observe(history, view(VOTERS), 11.0)
    assert all(history.healthy_for(m, 12.0) == 1.0 for m in VOTERS)


def test_a_member_that_left_the_list_is_forgotten() -> None:
    history = observe(healthy_since([1, 2, 3], 0.0), view(VOTERS[:2]), 10.0)
    assert 3 not in history.healthy_since
    assert 3 not in history.sick_since
