"""The receipt: whose hashes are compared, and what becomes of one that does not come."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from components.change.proof import AGREE_SECONDS, prove, receipt_of
from components.etcd.hashes import LARGEST_BYTES, MEGABYTE, Hashing
from components.outputs import newest
from components.progress import SequenceError
from containers.etcd.supervisor.membership import View
from tests.support.hashed import LEADER, PODS, Hashed

LATE = None
LARGEST = LARGEST_BYTES // MEGABYTE
REFUSED = "Error: connection refused"


@pytest.fixture
def members(monkeypatch: pytest.MonkeyPatch) -> Hashed:
    return Hashed(monkeypatch)


def proof(members: Hashed) -> Any:
    """Of what a sequence has left that has looked once before."""
    loop = members.loop()
    loop.look()
    members.looks = 0
    return prove(loop)["receipt"]


def test_members_that_hold_the_same_are_asked_once_from_the_last_look(members: Hashed) -> None:
    assert proof(members) == {
        "clusterId": "1",
        "leader": LEADER,
        "term": 2,
        "revision": 5,
        "hash": 7,
        "members": list(PODS),
        "consistent": True,
        "differences": [],
        "missing": [],
        "leftOut": [],
    }
    assert sorted(members.order) == list(PODS)
    assert members.looks == 0


def test_a_proof_is_dated_by_the_clock_of_the_api_server(members: Hashed) -> None:
    """Whoever runs a sequence may have another one, and the next is run by somebody else."""
    assert prove(members.loop())["at"] == datetime(2026, 11, 27, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("dated", "expected"),
    [
        pytest.param([5, None, None], 0, id="a handover alone"),
        pytest.param([5, 9, 7], 1, id="a scale after a rolling change"),
        pytest.param([5, 5, None], 1, id="all in one second"),
        pytest.param([5, 7, 7], 2, id="scale and rolling change in one second"),
        pytest.param([9, 7, 8], 0, id="a handover of another cluster in the place of the first"),
    ],
)
def test_the_outputs_tell_what_was_proved_last(dated: list[int | None], expected: int) -> None:
    # Data that has come back from an older copy has a lower revision.
    proofs = [
        None if at is None else {"at": at, "revision": 100 - at, "members": place}
        for place, at in enumerate(dated)
    ]
    assert newest(proofs) == proofs[expected]
    assert newest([None, {}]) == {}, "before the first"


def test_each_member_is_asked_by_itself_and_the_leader_last(members: Hashed) -> None:
    proof(members)
    *followers, last = members.order
    assert (set(followers), last) == ({"etcd-0", "etcd-2"}, LEADER)


@pytest.mark.parametrize(
    ("megabytes", "limits"),
    [
        pytest.param(0.02, ("3s", 10), id="a small database"),
        pytest.param(100, ("13s", 20), id="a large one"),
        pytest.param(LARGEST, ("28s", 35), id="the largest that is hashed"),
    ],
)
def test_a_members_time_follows_the_size_of_its_database_and_the_commands_is_longer(
    megabytes: float, limits: tuple[str, float], members: Hashed
) -> None:
    members.megabytes = megabytes
    assert proof(members)["consistent"] is True
    assert members.limits == {limits}


def test_nobody_is_hashed_where_clients_would_wait_too_long_and_the_receipt_says_so(
    members: Hashed, capsys: pytest.CaptureFixture[str]
) -> None:
    members.megabytes = LARGEST + 50
    found = proof(members)
    assert members.asked == []
    assert (found["hash"], found["members"], found["consistent"]) == (None, [], False)
    (text,) = found["leftOut"]
    assert text.startswith("hashes were not compared: 300 MB are in use, and above 250 MB ")
    assert f"warning: {text}" in capsys.readouterr().out


def test_a_hash_that_never_comes_is_named_and_fails_no_sequence(
    members: Hashed, capsys: pytest.CaptureFixture[str]
) -> None:
    members.answers["etcd-2"] = [LATE]
    found = proof(members)
    assert found["missing"] == ["no hash from etcd-2 within 3 s"]
    assert (found["hash"], found["members"]) == (7, ["etcd-0", "etcd-1"])
    assert (found["consistent"], found["differences"]) == (False, [])
    said = capsys.readouterr().out
    assert "warning: no hash from etcd-2 within 3 s" in said
    assert "differ" not in said


def test_hashes_that_never_come_are_no_traceback(members: Hashed) -> None:
    """etcdctl prints `null` then, its empty list."""
    members.answers = dict.fromkeys(PODS, (LATE,))
    found = proof(members)
    assert (found["hash"], found["members"]) == (None, [])
    assert found["missing"] == [
        f"no hash from {p} within 3 s" for p in ("etcd-0", "etcd-2", LEADER)
    ]


@pytest.mark.parametrize("missing", [LATE, REFUSED], ids=["too late", "refused"])
def test_a_hash_that_comes_at_last_is_compared(missing: str | None, members: Hashed) -> None:
    members.answers["etcd-2"] = [missing, missing, 7]
    assert proof(members)["consistent"] is True


def test_why_a_hash_is_refused_is_told(members: Hashed) -> None:
    members.answers["etcd-0"] = [REFUSED]
    assert proof(members)["missing"] == [f"no hash from etcd-0: {REFUSED}"]


@pytest.mark.parametrize("megabytes", [0.02, 40, 100])
def test_who_was_late_is_left_alone_for_as_long_as_it_was_given(
    megabytes: float, members: Hashed
) -> None:
    """Its hash goes on, and one more would be added to it."""
    members.megabytes = megabytes
    members.answers["etcd-2"] = [LATE]
    proof(members)
    times = [at for at, pods in members.asked if "etcd-2" in pods]
    ((limit, _),) = members.limits
    given = float(limit.removesuffix("s"))
    assert len(times) > 1
    assert all(later - earlier >= 2 * given for earlier, later in pairwise(times))


def test_members_that_differ_are_not_asked_again_sooner_than_hashing_takes(members: Hashed) -> None:
    members.took = 1.5
    members.answers["etcd-2"] = [8, 8, 7]
    assert proof(members)["consistent"] is True
    times = [at for at, pods in members.asked if LEADER in pods]
    assert len(times) == 3
    # Three hashes, and as long a pause.
    assert all(later - earlier >= 2 * 3 * 1.5 for earlier, later in pairwise(times))


def test_members_that_differ_fail_the_sequence_and_are_named(members: Hashed) -> None:
    members.answers["etcd-0"] = [8]
    began = members.clock.now
    with pytest.raises(SequenceError) as failure:
        proof(members)
    assert failure.value.problem.endswith(
        "hashes differ at revision 5: 7 on etcd-1, etcd-2, but 8 on etcd-0"
    )
    assert members.clock.now - began < AGREE_SECONDS + 2


@pytest.mark.parametrize("then", [LATE, REFUSED], ids=["too late", "refused"])
def test_members_that_have_differed_must_agree_though_one_gives_no_hash_any_more(
    then: str | None, members: Hashed
) -> None:
    members.answers["etcd-0"] = [8, then]
    with pytest.raises(SequenceError) as failure:
        proof(members)
    assert "7 on etcd-1, etcd-2, but 8 on etcd-0" in failure.value.problem
    assert "no hash from etcd-0" in failure.value.problem


def test_members_that_have_compacted_at_another_moment_are_not_said_to_differ(
    members: Hashed,
) -> None:
    members.answers["etcd-0"] = [(8, 3), (9, 4)]
    members.answers["etcd-1"] = members.answers["etcd-2"] = [(9, 4)]
    assert proof(members)["consistent"] is True
    members.answers["etcd-0"] = [(8, 3)]
    with pytest.raises(SequenceError) as failure:
        proof(members)
    assert failure.value.problem.endswith("up to the same: etcd-0 3, etcd-1 4, etcd-2 4")
    assert "differ" not in failure.value.problem


def test_of_members_that_have_compacted_alike_different_hashes_are_a_difference(
    members: Hashed,
) -> None:
    members.answers = {"etcd-0": [(8, 3)], "etcd-1": [(9, 4)], "etcd-2": [(8, 4)]}
    with pytest.raises(SequenceError, match="hashes differ at revision 5: 8 on etcd-0, etcd-2, "):
        proof(members)


def test_who_may_be_hashing_still_may_be_silent(members: Hashed) -> None:
    members.megabytes = 100
    members.answers["etcd-2"] = [LATE]
    members.silent = lambda: ["etcd-2"] if members.asked else []
    assert proof(members)["missing"] == ["no hash from etcd-2 within 13 s"]
    assert members.looks > 0


def test_a_member_that_falls_silent_without_having_been_late_fails_the_sequence(
    members: Hashed,
) -> None:
    members.answers["etcd-2"] = [LATE]
    members.silent = lambda: ["etcd-0"] if members.asked else []
    with pytest.raises(SequenceError, match="no answer from etcd-0"):
        proof(members)


def test_nobody_is_hashed_where_something_else_is_wrong_already(members: Hashed) -> None:
    members.silent = lambda: ["etcd-2"]
    loop = members.loop()
    view = loop.look()
    assert isinstance(view, View)
    found = receipt_of(Hashing(loop.cluster), view)
    assert found["differences"] == ["no answer from etcd-2"]
    assert (found["hash"], found["members"], found["consistent"]) == (None, [], False)
    assert members.asked == []
