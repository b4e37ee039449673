"""The rules that every member and every sequence follows, by table and by property."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from containers.etcd.supervisor import rules
from containers.etcd.supervisor.membership import Member
from containers.etcd.supervisor.rules import Disk
from tests.support.views import CLUSTER, healthy_since, member, url, view

ME = url("etcd-0")


@pytest.mark.parametrize(
    ("disk", "members", "wanted", "expected"),
    [
        pytest.param(Disk(data=True), None, None, rules.Start(), id="full outage: never wait"),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1),
            [member(1, "etcd-0")],
            None,
            rules.Start(),
            id="plain restart",
        ),
        pytest.param(
            Disk(data=True),
            [member(1, "etcd-0")],
            None,
            rules.Start(),
            id="identity file lost, data there",
        ),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1),
            [member(2, "etcd-1")],
            True,
            rules.SetAside(),
            id="removed while away, wanted again",
        ),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1),
            [member(9, "etcd-0")],
            True,
            rules.SetAside(),
            id="stale volume: another ID has the address",
        ),
        pytest.param(
            Disk(data=True, ended=True),
            [member(2, "etcd-1")],
            True,
            rules.SetAside(),
            id="etcd ended with 0: removed, identity lost",
        ),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1, ended=True),
            [member(2, "etcd-1")],
            True,
            rules.SetAside(),
            id="etcd ended with 0: removed",
        ),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1, ended=True),
            [member(1, "etcd-0"), member(2, "etcd-1")],
            True,
            rules.Start(),
            id="etcd ended with 0, but its ID is listed",
        ),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1, ended=True),
            [member(1, "etcd-0", learner=True), member(2, "etcd-1")],
            False,
            rules.Start(),
            id="etcd ended with 0, a learner that is listed and not wanted: as at any restart",
        ),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1, ended=True),
            None,
            None,
            rules.Start(),
            id="etcd ended with 0, and nobody answers",
        ),
        pytest.param(
            Disk(data=False),
            [member(2, "etcd-1")],
            True,
            rules.Join(),
            id="empty disk, not listed",
        ),
        pytest.param(
            Disk(data=False, cluster_id=CLUSTER, member_id=1),
            [member(1, "etcd-0", learner=True, started=False)],
            True,
            rules.Resume(member(1, "etcd-0", learner=True, started=False)),
            id="added, never started",
        ),
    ],
)
def test_a_starting_unit_follows_the_table(
    disk: Disk, members: list[Member] | None, wanted: bool | None, expected: rules.Decision
) -> None:
    seen = view(members) if members is not None else None
    assert rules.unit_start(disk, seen, ME, wanted) == expected


@pytest.mark.parametrize(
    ("disk", "learner"),
    [
        pytest.param(Disk(data=False), False, id="a voter"),
        pytest.param(
            Disk(data=False, cluster_id=CLUSTER, member_id=1), True, id="a learner, its log lost"
        ),
    ],
)
def test_an_id_whose_disk_is_lost_goes_and_one_that_runs_elsewhere_stays(
    disk: Disk, learner: bool
) -> None:
    """Nobody answers for a disk that is lost."""
    mine = member(1, "etcd-0", learner=learner)
    members = [mine, member(2, "etcd-1")]
    assert rules.unit_start(disk, view(members, silent=[1]), ME, True) == rules.Replace(mine)
    assert isinstance(rules.unit_start(disk, view(members), ME, True), rules.Wait)


@pytest.mark.parametrize(
    ("disk", "members", "wanted"),
    [
        pytest.param(Disk(data=False), None, True, id="a unit never bootstraps"),
        pytest.param(Disk(data=False), [member(2, "etcd-1")], None, id="API down: no change"),
        pytest.param(Disk(data=False), [member(2, "etcd-1")], False, id="not wanted"),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1),
            [member(2, "etcd-1")],
            False,
            id="removed and leaving: does not join again",
        ),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1),
            [member(2, "etcd-1")],
            None,
            id="removed, API down",
        ),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1, ended=True),
            [member(2, "etcd-1")],
            False,
            id="etcd ended with 0 when it was scaled away",
        ),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1, ended=True),
            [member(2, "etcd-1")],
            None,
            id="the same, API down",
        ),
        pytest.param(
            Disk(data=True, ended=True),
            [member(2, "etcd-1")],
            False,
            id="the same, identity lost",
        ),
        pytest.param(
            Disk(data=True, cluster_id=CLUSTER, member_id=1, birth="mark"),
            [member(2, "etcd-1")],
            True,
            id="removed, and the mark of the cluster that answers could not be read",
        ),
    ],
)
def test_a_unit_that_must_not_act_waits(
    disk: Disk, members: list[Member] | None, wanted: bool | None
) -> None:
    seen = view(members) if members is not None else None
    assert isinstance(rules.unit_start(disk, seen, ME, wanted), rules.Wait)


def test_data_is_not_set_aside_for_a_cluster_whose_revision_nobody_tells() -> None:
    disk = Disk(data=True, cluster_id=CLUSTER, member_id=1, birth="mark", revision=7)
    seen = view([member(2, "etcd-1")], leader=0)
    assert isinstance(rules.unit_start(disk, seen, ME, wanted=True, birth="mark"), rules.Wait)


def test_a_disk_of_another_member_is_not_started_where_nobody_answers() -> None:
    """Two would have one ID, or each the other's."""
    disk = Disk(data=True, cluster_id=CLUSTER, member_id=2, peer_url=url("etcd-1"))
    assert isinstance(rules.unit_start(disk, None, ME, wanted=None), rules.Refuse)
    assert rules.unit_start(replace(disk, peer_url=ME), None, ME, None) == rules.Start()


@pytest.mark.parametrize(
    ("disk", "members", "leader", "birth", "removed"),
    [
        pytest.param({}, [member(2, "etcd-1")], 2, None, True, id="not listed"),
        pytest.param({"birth": "mark"}, [member(2, "etcd-1")], 2, "mark", True, id="and voted"),
        pytest.param({}, [member(1, "etcd-0")], 1, None, False, id="listed"),
        pytest.param({}, [member(1, "etcd-9")], 1, None, False, id="listed at another address"),
        pytest.param({"member_id": None}, [member(2, "etcd-1")], 2, None, False, id="ID not known"),
        pytest.param({"cluster_id": None}, [member(2, "etcd-1")], 2, None, False, id="nor this"),
        pytest.param({"cluster_id": 7}, [member(2, "etcd-1")], 2, None, False, id="another's list"),
        pytest.param({}, [member(2, "etcd-1")], 0, None, False, id="nobody leads"),
        pytest.param({"birth": "mark"}, [member(2, "etcd-1")], 2, "x", False, id="formed again"),
        pytest.param({"birth": "mark"}, [member(2, "etcd-1")], 2, None, False, id="mark not read"),
        pytest.param({"revision": 101}, [member(2, "etcd-1")], 2, None, False, id="gone back"),
    ],
)
def test_an_etcd_is_ended_only_where_its_own_cluster_has_it_no_more(
    disk: dict[str, Any], members: list[Member], leader: int, birth: str | None, removed: bool
) -> None:
    mine = replace(Disk(data=True, cluster_id=CLUSTER, member_id=1), **disk)
    assert rules.was_removed(mine, view(members, leader=leader), birth) is removed


def test_data_of_another_cluster_is_never_touched() -> None:
    disk = Disk(data=True, cluster_id=7, member_id=1)
    for each in (disk, replace(disk, ended=True)):
        decision = rules.unit_start(each, view([member(1, "etcd-0")]), ME, wanted=True)
        assert isinstance(decision, rules.Refuse)


def test_no_start_breaks_the_rules() -> None:
    """In every case there is."""
    sometimes = (False, True)
    disks = (sometimes, (None, CLUSTER, 7), (None, 1, 9), sometimes)
    listed = ((None, 1, 9), sometimes, sometimes)
    for case in itertools.product(*disks, *listed, (None, True, False), sometimes, sometimes):
        breaks_no_rule(*case)


def breaks_no_rule(
    data: bool,
    cluster: int | None,
    own: int | None,
    ended: bool,
    listed: int | None,
    started: bool,
    learner: bool,
    wanted: bool | None,
    answers: bool,
    runs: bool,
) -> None:
    disk = Disk(data=data, cluster_id=cluster, member_id=own, ended=ended)
    members = [member(2, "etcd-1")]
    if listed is not None:
        members.append(member(listed, "etcd-0", started=started, learner=learner))
    seen = view(members, silent=() if runs else (1, 9)) if answers else None
    decision = rules.unit_start(disk, seen, ME, wanted)
    changes = isinstance(decision, rules.Join | rules.Replace | rules.SetAside)
    if changes or isinstance(decision, rules.Resume):
        assert wanted is True, "the membership changes only for a unit that is wanted"
        assert seen is not None, "a unit never acts on a cluster that does not answer"
    if isinstance(decision, rules.Start):
        assert data, "etcd starts as it is only on data"
        if seen is not None and own is not None:
            assert own == listed, "never under an ID that the list does not have"
        elif seen is not None:
            assert not ended, "etcd knows its ID where the disk's is not known"
    if isinstance(decision, rules.SetAside):
        assert own is None or own != listed, "the data of a member stays"
    if isinstance(decision, rules.Join | rules.Resume | rules.Replace):
        assert not data, "data is set aside first"
    if isinstance(decision, rules.Resume):
        assert decision.member.id == own
        assert not decision.member.started, "never an ID that has run on an empty disk"
    if isinstance(decision, rules.Join):
        assert seen is not None
        assert seen.by_peer_url(ME) is None, "an address is never listed twice"
    if isinstance(decision, rules.Replace):
        assert seen is not None
        assert decision.member.id not in seen.statuses, "whoever answers has its disk"


@pytest.mark.parametrize(
    ("disk", "birth", "index", "refused"),
    [
        pytest.param({"cluster_id": 0xC2}, "mark", 100, True, id="another ID"),
        pytest.param(
            {"birth": "mark", "member_id": 9}, "other", 100, True, id="same ID, formed again"
        ),
        pytest.param(
            {"birth": "mark", "member_id": 9}, "", 100, True, id="same ID, never accepted"
        ),
        pytest.param({"birth": "mark"}, "", 100, False, id="a client has deleted all keys"),
        pytest.param({"birth": "mark"}, None, 100, False, id="the mark was not read"),
        pytest.param({"revision": 101}, "mark", 100, True, id="gone back"),
        pytest.param({"birth": "mark", "revision": 100}, "mark", 100, False, id="the same"),
        pytest.param({}, "mark", 100, False, id="nothing recorded"),
    ],
)
def test_a_cluster_that_is_not_the_one_of_this_disk_is_refused(
    disk: dict[str, Any], birth: str | None, index: int, refused: bool
) -> None:
    seen = view([member(1, "etcd-0"), member(2, "etcd-1")], leader=2, index=index)
    mine = replace(Disk(data=True, cluster_id=CLUSTER, member_id=1), **disk)
    decision = rules.unit_start(mine, seen, ME, wanted=True, birth=birth)
    assert isinstance(decision, rules.Refuse) is refused
    if not refused:
        assert decision == rules.Start()


@pytest.mark.parametrize(
    ("gone", "others", "silent", "allowed"),
    [
        pytest.param(member(9, "etcd-0", learner=True), 3, (), True, id="a learner, always"),
        pytest.param(member(9, "etcd-0"), 2, (), True, id="dead voter of three"),
        pytest.param(member(9, "etcd-0"), 1, (), False, id="dead voter of two: no quorum left"),
        pytest.param(member(9, "etcd-0"), 2, (2,), False, id="another voter is sick too"),
    ],
)
def test_a_lost_disk_is_replaced_only_while_quorum_holds_without_it(
    gone: Member, others: int, silent: tuple[int, ...], allowed: bool
) -> None:
    rest = [member(i, f"etcd-{i}") for i in range(1, others + 1)]
    seen = view([*rest, gone], silent=(*silent, 9))
    history = healthy_since([m.id for m in rest if m.id not in silent], 0.0)
    blocked = rules.blocked_from(rules.Replace(gone), seen, history, 100.0)
    assert (blocked is None) is allowed


OWN_MARK = f'{{"clusterId": "{CLUSTER:x}", "token": "t", "born": 1}}'
NOTED = Disk(data=True, cluster_id=CLUSTER, member_id=1, birth=OWN_MARK)


@pytest.mark.parametrize(
    ("disk", "leader", "kept"),
    [
        pytest.param(NOTED, 1, OWN_MARK, id="the leader's unit"),
        pytest.param(NOTED, 2, None, id="another one leads"),
        pytest.param(NOTED, 0, None, id="nobody leads"),
        pytest.param(replace(NOTED, birth=None), 1, None, id="no mark is noted"),
        pytest.param(replace(NOTED, birth=""), 1, None, id="an empty one is noted"),
        pytest.param(
            replace(NOTED, birth=OWN_MARK.replace(f"{CLUSTER:x}", "abc")),
            1,
            None,
            id="another cluster's, that came with its keys or its snapshot",
        ),
        pytest.param(replace(NOTED, birth="[1]"), 1, None, id="no mark of ours"),
        pytest.param(replace(NOTED, cluster_id=7), 1, None, id="noted of another cluster"),
        pytest.param(replace(NOTED, member_id=9), 1, None, id="noted of another member"),
        pytest.param(Disk(data=True), 1, None, id="the note is lost"),
    ],
)
def test_only_the_mark_that_the_leaders_unit_has_noted_of_its_own_cluster_is_kept(
    disk: Disk, leader: int, kept: str | None
) -> None:
    me = member(1, "etcd-0")
    seen = view([me, member(2, "etcd-1")], leader=leader)
    assert rules.mark_to_keep(disk, seen, me) == kept
