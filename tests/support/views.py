"""Views of clusters for the tables of the pure rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from containers.etcd.supervisor.membership import History, Member, Status, View

CLUSTER = 0xC1
DOMAIN = "etcd-peer.etcd.svc.cluster.local"


def url(pod: str) -> str:
    return f"http://{pod}.{DOMAIN}:2380"


def member(number: int, pod: str, *, learner: bool = False, started: bool = True) -> Member:
    return Member(
        id=number,
        name=pod if started else "",
        peer_url=url(pod),
        client_url=f"http://{pod}.{DOMAIN}:2379" if started else None,
        learner=learner,
    )


def view(
    members: Sequence[Member],
    *,
    leader: int | None = None,
    silent: Iterable[int] = (),
    applied: Mapping[int, int] | None = None,
    index: int = 100,
) -> View:
    """A view in which all members but the silent ones answer; the first voter that answers leads,
    unless `leader` (0: nobody) says otherwise."""
    heard = [m for m in members if m.id not in set(silent) and m.started]
    voters = [m.id for m in heard if not m.learner]
    chosen = (voters[0] if voters else 0) if leader is None else leader
    statuses = {
        m.id: Status(
            member_id=m.id,
            cluster_id=CLUSTER,
            leader_id=chosen,
            revision=index,
            raft_index=index,
            applied_index=(applied or {}).get(m.id, index),
            raft_term=2,
            version="3.6.14",
        )
        for m in heard
    }
    return View(CLUSTER, tuple(members), statuses)


def healthy_since(numbers: Iterable[int], since: float) -> History:
    return History(healthy_since=dict.fromkeys(numbers, since), leader_index=100)
