"""What a cluster looks like at one moment, read from etcdctl's JSON, and over time.

Pure: plain values in, plain values out. No clock, no client, no process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any


@dataclass(frozen=True)
class Member:
    """One entry of the membership list."""

    id: int
    name: str
    """Empty until the member has started once. Match members by `peer_url`, never by name."""
    peer_url: str
    client_url: str | None
    """None until the member has started once and published its address."""
    learner: bool

    @property
    def hex_id(self) -> str:
        """The ID as etcdctl's arguments want it; its JSON has it in decimal."""
        return f"{self.id:x}"

    @property
    def started(self) -> bool:
        return self.client_url is not None

    @property
    def host(self) -> str:
        """The pod's DNS name, there from the add on."""
        return self.peer_url.partition("//")[2].rpartition(":")[0]

    @property
    def pod(self) -> str:
        """The pod's name: the first label of its DNS name."""
        return self.host.partition(".")[0]

    def ordinal_in(self, stateful_set: str) -> int | None:
        """The pod's ordinal if it is one of this StatefulSet, else None."""
        stem, _, ordinal = self.pod.rpartition("-")
        return int(ordinal) if stem == stateful_set and ordinal.isdigit() else None


@dataclass(frozen=True)
class Status:
    """One member's answer to `endpoint status`."""

    member_id: int
    cluster_id: int
    leader_id: int
    """0 while the member knows no leader."""
    revision: int
    raft_index: int
    applied_index: int
    raft_term: int
    version: str
    errors: tuple[str, ...] = ()
    in_use_bytes: int = 0
    """What is used of the database's file; the rest of it is free for what comes."""
    file_bytes: int = 0
    """Bytes of its database's file, which etcd holds against its quota; 0: it does not say."""


@dataclass(frozen=True)
class View:
    """The membership list and every status that came back, read in one round."""

    cluster_id: int
    members: tuple[Member, ...]
    statuses: Mapping[int, Status]
    """By member ID. A member that did not answer has no entry."""

    @property
    def voters(self) -> tuple[Member, ...]:
        return tuple(m for m in self.members if not m.learner)

    @property
    def learners(self) -> tuple[Member, ...]:
        return tuple(m for m in self.members if m.learner)

    @property
    def answering(self) -> frozenset[str]:
        """The pods of those that have answered."""
        return frozenset(m.pod for m in self.members if m.id in self.statuses)

    @property
    def quorum(self) -> int:
        return len(self.voters) // 2 + 1

    @property
    def leader(self) -> Member | None:
        """The voter that says of itself that it leads, in the highest term seen."""
        claims = [
            (self.statuses[m.id].raft_term, m)
            for m in self.voters
            if m.id in self.statuses and self.statuses[m.id].leader_id == m.id
        ]
        return max(claims, key=lambda c: c[0])[1] if claims else None

    @property
    def leader_index(self) -> int | None:
        """The leader's raft index, which others are measured against."""
        return None if self.leader is None else self.statuses[self.leader.id].raft_index

    def by_peer_url(self, peer_url: str) -> Member | None:
        return next((m for m in self.members if m.peer_url == peer_url), None)


def parse_members(text: str) -> tuple[int, tuple[Member, ...]]:
    """Parse `etcdctl member list -w json` (or the answer of `member add`).

    Returns the cluster ID and the members, sorted by peer URL so that every reader sees one order.
    Raises ValueError for anything that is not such an answer.
    """
    answer = _json_object(text)
    try:
        members = [
            Member(
                id=int(entry["ID"]),
                name=entry.get("name", ""),
                peer_url=entry["peerURLs"][0],
                client_url=(entry.get("clientURLs") or [None])[0],
                learner=bool(entry.get("isLearner", False)),
            )
            for entry in answer["members"]
        ]
        cluster_id = int(answer["header"]["cluster_id"])
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not a member list: {text[:200]!r}") from error
    return cluster_id, tuple(sorted(members, key=lambda m: m.peer_url))


def parse_statuses(text: str) -> dict[int, Status]:
    """Parse `etcdctl endpoint status -w json`: the members that answered, by member ID.

    Raises ValueError for anything that is not such an answer.
    """
    try:
        entries: list[Any] = json.loads(text) if text.strip() else []
        statuses = [_status(entry["Status"]) for entry in entries]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an endpoint status: {text[:200]!r}") from error
    return {status.member_id: status for status in statuses}


def _status(raw: Mapping[str, Any]) -> Status:
    header = raw["header"]
    return Status(
        member_id=int(header["member_id"]),
        cluster_id=int(header["cluster_id"]),
        leader_id=int(raw.get("leader", 0)),
        revision=int(header.get("revision", 0)),
        raft_index=int(raw.get("raftIndex", 0)),
        applied_index=int(raw.get("raftAppliedIndex", 0)),
        raft_term=int(raw.get("raftTerm", 0)),
        version=raw.get("version", ""),
        errors=tuple(raw.get("errors") or ()),
        in_use_bytes=int(raw.get("dbSizeInUse", 0)),
        file_bytes=int(raw.get("dbSize") or 0),
    )


def _json_object(text: str) -> dict[str, Any]:
    answer = json.loads(text)  # JSONDecodeError is a ValueError
    if not isinstance(answer, dict):
        raise ValueError(f"not a JSON object: {text[:200]!r}")
    return answer


UNSEEN_SECONDS = 2.5
"""Between two looks further apart than this, a member may have gone and come back unseen. Whoever
waits to join looks every second, and a look takes its time where machines are busy: with 1.5 s most
joins took 0.6 s longer, since a new voter has been ready for less than it was seen to be well."""


@dataclass(frozen=True)
class History:
    """How long each member has been healthy without a break, as one observer saw it."""

    healthy_since: Mapping[int, float] = field(default_factory=dict[int, float])
    """Observer's monotonic clock, seconds, by member ID; a member that is not healthy has none."""
    sick_since: Mapping[int, float] = field(default_factory=dict[int, float])
    """The same for members that are listed and not healthy."""
    leader_index: int | None = None
    """The leader's raft index of the round before: what every healthy member has applied by now."""
    apart_at: Mapping[int, float] = field(default_factory=dict[int, float])
    """When each was last seen not to go with the others; minus infinity if it never was."""
    seen_at: float | None = None
    """When that was seen."""

    def may_have_missed(self, now: float) -> bool:
        """Whether the last look is so long ago that a break of health may have passed unseen."""
        return self.seen_at is not None and now - self.seen_at > UNSEEN_SECONDS

    def has_gap(self, member: int, ages: Mapping[int, float], now: float) -> bool:
        """Whether a member that others were asked about may have gone and come back since then."""
        age = ages.get(member)
        return (
            self.may_have_missed(now)
            and age is not None
            and self.seen_at is not None
            and age < now - self.seen_at
        )

    def healthy_for(self, member: Member, now: float) -> float:
        """Seconds of unbroken health up to `now`; -1 if it is not healthy."""
        since = self.healthy_since.get(member.id)
        return -1.0 if since is None else now - since

    def sick_for(self, member: Member, now: float) -> float:
        """Seconds without health up to `now`; -1 if it is healthy."""
        since = self.sick_since.get(member.id)
        return -1.0 if since is None else now - since


def observe(
    history: History, view: View | None, now: float, told: Mapping[int, float] | None = None
) -> History:
    """Return the history after `view` was seen at `now`; None: the cluster did not answer. Nobody
    was seen to be well then: an outage is a break of everybody's health.

    Healthy = the member answered, reports no error, belongs to this cluster, follows the leader
    that the others follow, and has applied what the leader had in the round before. (Comparing
    with the leader's index of the same round would call a healthy follower late under load.)

    `told`: by member ID, for how many seconds others have found that member ready without a break.
    It counts for members that are seen healthy too, so that an observer that has just begun need
    not watch a cluster that has run for weeks. It bridges what this observer may have missed, since
    it did not look for a while or nobody answered its questions; but asking once in a while others
    may miss a break, too: what began before this observer saw one counts no more. To be late once
    under load is none.
    """
    if view is None:
        return History()
    least_index = history.leader_index
    healthy = {m.id for m in view.members if _healthy(view, m, least_index or 0)}
    sick = {m.id for m in view.members} - healthy
    # Not before the second look: at the first there is no index to be measured against.
    ages = told if told is not None and least_index is not None else {}
    began = {i: now - age for i, age in ages.items() if now - age > history.apart_at.get(i, -inf)}
    seen = {i: s for i, s in history.healthy_since.items() if not history.has_gap(i, ages, now)}
    return History(
        healthy_since={i: min(seen.get(i, now), began.get(i, now)) for i in healthy},
        sick_since={i: history.sick_since.get(i, now) for i in sick},
        leader_index=view.leader_index,
        seen_at=now,
        apart_at={
            m.id: history.apart_at.get(m.id, -inf) if _goes_along(view, m) else now
            for m in view.members
        },
    )


def _healthy(view: View, member: Member, least_index: int) -> bool:
    return _goes_along(view, member) and view.statuses[member.id].applied_index >= least_index


def _goes_along(view: View, member: Member) -> bool:
    status = view.statuses.get(member.id)
    return (
        status is not None
        and view.leader is not None
        and not status.errors
        and status.cluster_id == view.cluster_id
        and status.leader_id == view.leader.id
    )


def but_full(view: View) -> View:
    """The same without the alarm of a full database, which the members' own rules do not mind.

    etcd then refuses to write keys, and nothing else: members come and go
    (`NewApplierV3Capped` in server/etcdserver/apply/apply.go). One whose disk is lost comes back.
    """
    statuses = {
        i: replace(s, errors=tuple(e for e in s.errors if _FULL not in e))
        for i, s in view.statuses.items()
    }
    return replace(view, statuses=statuses)


_FULL = "alarm:NOSPACE"

NO_LEADER = "etcdserver: no leader"
"""What a member reports beside alarms while it follows nobody."""


def alarms(view: View) -> str:
    """The alarms that stand, for people: ` (alarm:NOSPACE)`; empty without any.

    While one stands, every member reports it, and to the sequences no member is healthy.
    """
    found = {e for s in view.statuses.values() for e in s.errors if e != NO_LEADER}
    return f" ({', '.join(sorted(found))})" if found else ""


def describe(members: Iterable[Member]) -> str:
    """Pod names for people: `etcd-0, etcd-1`."""
    return ", ".join(sorted(m.pod for m in members))
