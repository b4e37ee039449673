"""What a member says of itself and of the list, asked over its HTTP gateway.

etcdctl is this project's client of etcd. Here a member is asked 20 times a second and more, for
hours, beside what is measured: a process for each question would be most of the machine's work.
"""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


class NoAnswerError(Exception):
    """The member did not answer, or answered with an error, whose text this is."""


@dataclass(frozen=True)
class Listed:
    """One entry of the membership list."""

    id: str
    """Hexadecimal, as etcdctl prints it."""
    name: str
    """Empty until the member has started once."""
    peer_url: str
    learner: bool

    @property
    def pod(self) -> str:
        """The first label of the peer URL's host."""
        return self.peer_url.partition("//")[2].partition(".")[0]


@dataclass(frozen=True)
class Said:
    """What a member says of itself."""

    id: str
    cluster_id: str
    leader: str
    """0 if it knows none."""
    term: int
    learner: bool


def listed(
    endpoint: str, seconds: float = 1.0, *, linearizable: bool = False
) -> tuple[Listed, ...]:
    """The membership list as this one member has it, `linearizable`: as a quorum has it.

    Raises NoAnswerError.
    """
    answer = call(endpoint, "cluster/member/list", {"linearizable": linearizable}, seconds)
    return tuple(
        Listed(
            id=f"{int(m['ID']):x}",
            name=m.get("name", ""),
            peer_url=m["peerURLs"][0],
            learner=bool(m.get("isLearner")),
        )
        for m in answer["members"]
    )


def said(endpoint: str, seconds: float = 1.0) -> Said:
    """Raises NoAnswerError."""
    answer = call(endpoint, "maintenance/status", {}, seconds)
    header = answer["header"]
    return Said(
        id=f"{int(header['member_id']):x}",
        cluster_id=f"{int(header['cluster_id']):x}",
        leader=f"{int(answer.get('leader', 0)):x}",
        term=int(answer.get("raftTerm", 0)),
        learner=bool(answer.get("isLearner")),
    )


def value(endpoint: str, key: str, seconds: float = 1.0) -> str:
    """A key's value as a quorum has it; empty if it is not there. Raises NoAnswerError."""
    answer = call(endpoint, "kv/range", {"key": base64.b64encode(key.encode()).decode()}, seconds)
    return "".join(base64.b64decode(kv["value"]).decode() for kv in answer.get("kvs", []))


def call(endpoint: str, method: str, body: dict[str, Any], seconds: float) -> dict[str, Any]:
    """One call over a connection of its own. Raises NoAnswerError."""
    place = urlsplit(endpoint)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=seconds)
    try:
        connection.request("POST", f"/v3/{method}", json.dumps(body))
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswerError(f"{endpoint}: {error}") from None
    finally:
        connection.close()
    if "error" in answer or "code" in answer:
        raise NoAnswerError(str(answer.get("message") or answer.get("error")))
    return answer
