"""The fault suite's own means, on a real etcd: what it asks, and what it does to a process."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lab.tools import ensure
from tests.faults import judgement
from tests.faults.etcd_api import Listed, NoAnswerError, listed, said
from tests.faults.injection.clock import off_by
from tests.faults.injection.pod_processes import stopped
from tests.faults.membership_watch import MembershipWatch
from tests.support.loopback import LoopbackEtcd, loopback_etcd
from tests.support.stack import until
from tests.support.supervisor import when_possible

ABC = ("a", "b", "c")
HOUR = 3600


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackEtcd]:
    programs = ensure(["etcd", "etcdctl"])
    with loopback_etcd(programs, tmp_path_factory.mktemp("etcd"), [*ABC, "late"]) as members:
        members.start(*ABC, cluster=ABC)
        until("one leader for all", lambda: _agreed(members))
        yield members


def _leader(etcd: LoopbackEtcd) -> str | None:
    for name, endpoint in zip(ABC, etcd.endpoints(*ABC), strict=True):
        try:
            answer = said(endpoint)
        except NoAnswerError:
            continue
        if answer.leader == answer.id:
            return name
    return None


def _agreed(etcd: LoopbackEtcd) -> str | None:
    """The leader's name, once all answer and say the same."""
    try:
        answers = {name: said(etcd.endpoints(name)[0]) for name in ABC}
    except NoAnswerError:
        return None
    if len({(a.cluster_id, a.leader, a.term) for a in answers.values()}) > 1:
        return None
    return next((name for name, a in answers.items() if a.id == a.leader), None)


def _date(endpoint: str) -> float:
    """The time that a member puts into its answers."""
    place = urlsplit(endpoint)
    line = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    with closing(line):
        line.request("GET", "/version")
        return parsedate_to_datetime(line.getresponse().headers["Date"]).timestamp()


def test_members_agree_on_list_cluster_and_leader(etcd: LoopbackEtcd) -> None:
    until("one leader for all", lambda: _agreed(etcd))
    endpoints = etcd.endpoints(*ABC)
    known = listed(endpoints[0], seconds=60)
    assert {m.id for m in known} == {said(endpoint, seconds=60).id for endpoint in endpoints}
    assert not any(m.learner for m in known)


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
def test_an_etcd_whose_clock_is_off_is_told_so_by_its_answers_and_runs_on(
    offset: int, etcd: LoopbackEtcd
) -> None:
    """The leader, whose halt alone would cost an election."""

    def undisturbed() -> bool:
        """Whether nobody was elected meanwhile: a machine that stands still is a cause as well."""
        leader = until("one leader for all", lambda: _agreed(etcd))
        (endpoint,) = etcd.endpoints(leader)
        before = said(endpoint, seconds=60)
        with off_by(offset, [etcd.pid(leader)]):
            assert _date(endpoint) - time.time() == pytest.approx(offset, abs=60)
            when_possible(lambda: etcd.ctl("put", "while", "the clock is wrong", at=[leader]))
        assert _date(endpoint) - time.time() == pytest.approx(0, abs=60)
        return said(endpoint, seconds=60) == before

    until("a try without an election", undisturbed, 120)


def test_a_leader_that_stands_still_is_replaced_and_answers_nothing_meanwhile(
    etcd: LoopbackEtcd,
) -> None:
    leader = until("one leader for all", lambda: _agreed(etcd))
    (endpoint,) = etcd.endpoints(leader)
    with stopped(etcd.pid(leader)):
        with pytest.raises(NoAnswerError):
            said(endpoint, seconds=0.2)
        until("another leader", lambda: _leader(etcd) not in (None, leader))

    def follows() -> bool:
        try:
            told = said(endpoint)
        except NoAnswerError:
            return False
        return told.leader != told.id

    until("its answer", follows)


@pytest.mark.parametrize(("flags", "good"), [(("--learner",), True), ((), False)])
def test_the_watch_sees_whether_a_member_is_added_as_a_learner(
    flags: tuple[str, ...], *, good: bool, etcd: LoopbackEtcd
) -> None:
    with MembershipWatch(lambda: etcd.endpoints(*ABC)) as watch:
        until("a first look", lambda: watch.sights)
        url = "http://127.0.0.1:9"
        until("etcd's own five seconds", lambda: _added(etcd, url, *flags), 120)
        # Of any sight: the watch may turn to a member that is late.
        new = until("the new member", lambda: _seen(watch, url))
    assert (judgement.of_membership(watch.sights, ()) == []) is good
    until("the end of it", lambda: _removed(etcd, new.id, ABC))


def _seen(watch: MembershipWatch, url: str) -> Listed | None:
    return next((m for s in watch.sights for m in s.members if m.peer_url == url), None)


def _added(etcd: LoopbackEtcd, url: str, *flags: str) -> bool:
    """Ask for it: etcd refuses until it has known all members as healthy for a while."""
    with suppress(NoAnswerError, subprocess.SubprocessError):
        if any(m.peer_url == url for m in listed(etcd.endpoints("a")[0])):
            return True
        etcd.ctl("member", "add", "late", f"--peer-urls={url}", *flags, at=["a"])
        return True
    return False


def _removed(etcd: LoopbackEtcd, member_id: str, at: Sequence[str]) -> bool:
    """Ask for it, in the same way, until all of these know it."""
    with suppress(NoAnswerError, subprocess.SubprocessError):
        if all(m.id != member_id for endpoint in etcd.endpoints(*at) for m in listed(endpoint)):
            return True
        etcd.ctl("member", "remove", member_id, at=at)
    return False


def _follows(etcd: LoopbackEtcd, name: str, leader: str) -> bool:
    """Move the leadership to that member unless it leads in the eyes of this one."""
    with suppress(NoAnswerError, subprocess.SubprocessError):
        if said(etcd.endpoints(name)[0]).leader == leader:
            return True
        etcd.ctl("move-leader", leader, at=ABC)
    return False


@pytest.mark.parametrize("moved", [True, False])
def test_the_watch_sees_whether_leadership_was_moved_before_the_leaders_removal(
    tmp_path: Path, *, moved: bool
) -> None:
    """etcd itself lets a leader go."""
    with loopback_etcd(ensure(["etcd", "etcdctl"]), tmp_path, ABC) as etcd:
        etcd.start(*ABC, cluster=ABC)
        leader = until("one leader for all", lambda: _agreed(etcd))
        others = [name for name in ABC if name != leader]
        mine, next_one = (said(etcd.endpoints(n)[0], seconds=60).id for n in (leader, others[0]))
        with MembershipWatch(lambda: etcd.endpoints(*others)) as watch:
            until("its leading for long", lambda: _led_for(watch, mine))
            if moved:
                until("the move", lambda: _follows(etcd, others[0], next_one))
            until("the removal", lambda: _removed(etcd, mine, others))
            until("another leader", lambda: watch.sights[-1].leader not in {mine, "0"})
    assert (judgement.of_leaders(watch.sights) == []) is moved, watch.sights


def _led_for(watch: MembershipWatch, leader: str) -> bool:
    """So long that it cannot have been elected just before the next step."""
    if not watch.sights:
        return False
    seen = watch.sights[-1]
    return seen.leader == leader and seen.last - seen.first > judgement.ELECTED_SECONDS
