"""A namespace for the birth's decisions. Stands in for Kubernetes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from components.kube.client import Kube
from components.kube.pods import on_volume, running
from components.names import GATE
from components.site import Site
from tests.support.dynamic import SITE

NOW = datetime.now(UTC)
MARK = '{"clusterId": "1f", "token": "t", "born": 1}'


def listed(name: str) -> str:
    """The list of a cluster's only member, as etcdctl prints it."""
    host = f"http://{name}.etcd-peer"
    member = {
        "ID": 1,
        "name": name,
        "peerURLs": [f"{host}:2380"],
        "clientURLs": [f"{host}:2379"],
    }
    return json.dumps({"header": {"cluster_id": 31}, "members": [member]})


def answered(name: str) -> str:
    """That member's status."""
    status = {
        "header": {"cluster_id": 31, "member_id": 1, "revision": 7, "raft_term": 2},
        "version": "3.6.14",
        "leader": 1,
        "raftIndex": 9,
        "raftAppliedIndex": 9,
        "raftTerm": 2,
    }
    return json.dumps([{"Endpoint": f"http://{name}.etcd-peer:2379", "Status": status}])


LISTED, ANSWERED = listed("etcd-0"), answered("etcd-0")
VOTES = {"data": None, "etcd": True, "phase": "running as a voter"}
"""It has joined in this supervisor's lifetime."""
WAITS = {"data": False, "etcd": False, "phase": "waiting: no cluster answers at the Service"}
BEGINS = {"data": None, "etcd": False, "phase": "starting"}
"""It has not looked at its volume yet."""
PAUSES = {"data": None, "etcd": False, "phase": "etcd ended with 1; starting again"}
CAME_BACK = {"data": True, "etcd": False, "phase": "etcd ended with 1; starting again"}
MUTE: dict[str, Any] = {}


def pod(
    name: str,
    *,
    ready: bool = False,
    unheard: bool = False,
    gated: bool = False,
    ending: bool = False,
    volume: bool = False,
    waiting: str | None = None,
    restarts: int = 0,
    starved: bool = False,
    template: str = "r2",
    made: datetime = NOW,
) -> Any:
    """`unheard`: ready when its node was last heard; `waiting`: why its container does not run;
    `volume`: its data is on a claim; `starved`: its container ended for want of memory; `template`:
    of its StatefulSet, from which it was made."""
    claim = SimpleNamespace(claim_name=f"data-{name}") if volume else None
    said = SimpleNamespace(reason=waiting, message=None) if waiting else None
    state = SimpleNamespace(running=None if waiting else object(), waiting=said)
    ended = SimpleNamespace(reason="OOMKilled", exit_code=137, finished_at=NOW) if starved else None
    container = SimpleNamespace(
        name="etcd",
        state=state,
        last_state=SimpleNamespace(terminated=ended),
        ready=ready,
        restart_count=restarts,
        image="etcd",
    )
    limits = SimpleNamespace(limits={"memory": "1Gi"})
    condition = SimpleNamespace(
        type="Ready",
        status=str(ready),
        last_transition_time=NOW,
        reason=None if ready or unheard else "ContainersNotReady",
    )
    gates = [SimpleNamespace(name=GATE)] if gated else None
    return SimpleNamespace(
        metadata=SimpleNamespace(
            name=name,
            uid=f"uid-of-{name}",
            creation_timestamp=made,
            deletion_timestamp=NOW if ending else None,
            labels={"controller-revision-hash": template},
        ),
        spec=SimpleNamespace(
            node_name=None,
            scheduling_gates=gates,
            volumes=[SimpleNamespace(name="data", persistent_volume_claim=claim)],
            containers=[SimpleNamespace(name="etcd", resources=limits)],
        ),
        status=SimpleNamespace(
            phase="Running",
            conditions=[condition],
            init_container_statuses=None,
            container_statuses=[] if gated else [container],
        ),
    )


def claim(name: str, **annotations: str) -> Any:
    metadata = SimpleNamespace(
        name=f"data-{name}",
        creation_timestamp=NOW,
        uid=f"claim-of-{name}",
        annotations=annotations,
        deletion_timestamp=None,
    )
    return SimpleNamespace(metadata=metadata)


def event(
    about: str,
    message: str,
    *,
    kind: str = "Pod",
    count: int | None = 1,
    container: str = "etcd",
    reason: str = "Failed",
    at: datetime | None = NOW,
) -> Any:
    """`about`: the name of a pod or a claim; `at`: None where the newer kind of event says it."""
    object_of = SimpleNamespace(
        kind=kind,
        name=about,
        uid=f"uid-of-{about}",
        field_path=f"spec.containers{{{container}}}",
    )
    return SimpleNamespace(
        involved_object=object_of,
        reason=reason,
        message=message,
        count=count,
        last_timestamp=at,
        event_time=None if at else NOW,
        series=None,
        metadata=SimpleNamespace(creation_timestamp=NOW),
    )


class Namespace(Kube):
    """A namespace; what is asked again is answered with the next one of a list, then the last."""

    def __init__(
        self,
        *,
        secrets: Sequence[Mapping[str, str]] = ({},),
        pods: Sequence[Any] = (),
        claims: Sequence[Any] = (),
        statuses: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        made: datetime | None = None,
        events: Sequence[Any] = (),
        newest: str | None = "r2",
        **answers: Sequence[Any],
    ) -> None:
        """`made`: when the units' workload was; `newest`: its template of now; `events`: see
        `event`."""
        self.site = Site(**SITE)
        self.secrets, self.found, self.claims = list(secrets), list(pods), list(claims)
        self.statuses = {name: list(said) for name, said in (statuses or {}).items()}
        said = {"get": [MARK], "list": [LISTED], "status": [ANSWERED], **answers}
        self.answers: dict[str, list[Any]] = {key: list(value) for key, value in said.items()}
        self.made, self.newest, self.said = made, newest, list(events)
        self.selected: list[str] = []
        self.asked: list[str] = []
        self.released: list[str] = []
        self.renewed: list[str] = []

    def read_secret(self, name: str) -> dict[str, str]:
        return dict(_next(self.secrets))

    def write_secret(self, name: str, data: Mapping[str, str]) -> None:
        self.secrets = [data]

    def pods(self, stateful_set: str) -> list[Any]:
        return [p for p in self.found if p.metadata.name.rpartition("-")[0] == stateful_set]

    def pods_and_time(self) -> tuple[list[Any], datetime]:
        return list(self.found), NOW

    def events(self, selector: str) -> list[Any]:
        self.selected.append(selector)
        return list(self.said)

    def made_at(self, stateful_set: str) -> datetime | None:
        return self.made

    def newest_revision(self, stateful_set: str) -> str | None:
        return self.newest

    def delete_pod(self, pod: Any) -> None:
        """Its StatefulSet recreates it."""
        self.renewed.append(pod.metadata.name)
        self.found[self.found.index(pod)] = _anew(pod)

    def volumes(self, stateful_set: str) -> list[Any]:
        stem = f"data-{stateful_set}"
        return [c for c in self.claims if c.metadata.name.rpartition("-")[0] == stem]

    def release(self, pods: Any) -> None:
        self.released += [p.metadata.name for p in pods if p.spec.scheduling_gates]

    def supervisor_status(self, pod: str) -> dict[str, Any]:
        self.asked.append(pod)
        runs = any(p.metadata.name == pod and running(p) for p in self.found)
        return dict(_next(self.statuses[pod]) if runs else MUTE)

    def exec(self, pod: str, *command: str, seconds: float = 10.0) -> str:
        answer = _next(self.answers[next(word for word in command if word in self.answers)])
        if isinstance(answer, Exception):
            raise answer
        return answer


def _anew(old: Any) -> Any:
    return pod(old.metadata.name, volume=on_volume(old))


def _next(answers: list[Any]) -> Any:
    return answers.pop(0) if len(answers) > 1 else answers[0]
