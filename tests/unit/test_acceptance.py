"""What an `up` knows of a cluster that an earlier one may have given to clients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from components.dynamic.acceptance import accept, accepted_earlier
from components.dynamic.bootstrap import wipe
from components.dynamic.cluster import Cluster
from components.dynamic.kube import ExecError, Kube
from components.dynamic.progress import Progress, SequenceError
from components.dynamic.site import Site
from components.dynamic.tokens import Token

NOW = datetime.now(UTC)
TOKEN = Token("v3", "t", "http://etcd-discovery:2379")
MARK = '{"clusterId": "1f", "token": "t", "born": 1}'
SILENT = "Error: context deadline exceeded"
LISTED = json.dumps(
    {
        "header": {"cluster_id": 31},
        "members": [
            {
                "ID": 1,
                "name": "etcd-seed-0",
                "peerURLs": ["http://etcd-seed-0.etcd-peer:2380"],
                "clientURLs": ["http://etcd-seed-0.etcd-peer:2379"],
            }
        ],
    }
)
ANSWERED = json.dumps(
    [
        {
            "Endpoint": "http://etcd-seed-0.etcd-peer:2379",
            "Status": {
                "header": {"cluster_id": 31, "member_id": 1, "revision": 7, "raft_term": 2},
                "version": "3.6.14",
                "leader": 1,
                "raftIndex": 9,
                "raftAppliedIndex": 9,
                "raftTerm": 2,
            },
        }
    ]
)


class Namespace(Kube):
    """A namespace with one seed, whose etcd answers what it is told to; an exception is raised."""

    workload = "etcd-seed"
    pod = "pod-1"
    claims: Sequence[str] = ()

    def __init__(self, **answers: list[Any]) -> None:
        site = SimpleNamespace(
            namespace="etcd",
            seeds="etcd-seed",
            units="etcd",
            discovery="etcd-discovery",
            local_url="http://127.0.0.1:2379",
        )
        self.site = cast(Site, site)
        self.answers: dict[str, list[Any]] = {
            "get": [MARK],
            "put": ["OK"],
            "list": [LISTED],
            "status": [ANSWERED],
        }
        self.answers |= answers
        self.done: list[str] = []
        """What was changed, in its order."""
        self.marks: list[str] = []
        self.released = 0

    def pods(self, stateful_set: str) -> list[Any]:
        if stateful_set != self.workload or "scale etcd-seed" in self.done:
            return []
        running = SimpleNamespace(state=SimpleNamespace(running=object(), waiting=None))
        ready = SimpleNamespace(type="Ready", status="True", last_transition_time=NOW)
        metadata = SimpleNamespace(name=f"{self.workload}-0", uid=self.pod, deletion_timestamp=None)
        status = SimpleNamespace(conditions=[ready], container_statuses=[running])
        spec = SimpleNamespace(node_name="n", scheduling_gates=None)
        return [SimpleNamespace(metadata=metadata, spec=spec, status=status)]

    def release(self, pods: Any) -> None:
        self.released += 1

    def volumes(self, stateful_set: str) -> list[Any]:
        return [SimpleNamespace(metadata=SimpleNamespace(uid=claim)) for claim in self.claims]

    def scale(self, stateful_set: str, replicas: int) -> None:
        self.done.append(f"scale {stateful_set}")

    def write_secret(self, name: str, data: Any) -> None:
        self.done.append("secret")
        self.secret = dict(data)

    def delete_secret(self, name: str) -> None:
        self.done.append("no secret")

    def exec(self, pod: str, *command: str, seconds: float = 10.0) -> str:
        verb = next(word for word in command if word in self.answers)
        if verb == "put":
            self.done.append("mark")
            self.marks.append(command[-1])
        answers = self.answers[verb]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def accepted(kube: Namespace, seconds: int = 60, note: str = "pod-1 claim-1") -> Any:
    return accepted_earlier(kube, {"accepted": note}, Progress("discovery", seconds))


def test_what_may_be_accepted_is_noted_before_it_is() -> None:
    kube = Namespace()
    found = accept(kube, Cluster(kube, ["etcd-seed-0"]), TOKEN, Progress("discovery", 60))
    assert (found.cluster_id, found.revision) == ("1f", 7)
    assert found.birth == kube.marks[0]
    assert kube.done == ["secret", "mark"]
    assert {**TOKEN.secret, "accepted": "pod-1"} == kube.secret
    assert accepted_earlier(kube, kube.secret, Progress("discovery", 60)) is not None


def test_a_mark_whose_answer_is_lost_is_written_again_as_it_was() -> None:
    lost = ExecError('{"level":"warn","msg":"retrying of unary invoker failed"}\n' + SILENT)
    kube = Namespace(put=[lost, lost, "OK"])
    accept(kube, Cluster(kube, ["etcd-seed-0"]), TOKEN, Progress("discovery", 60))
    assert len(kube.marks) == 3
    assert len(set(kube.marks)) == 1


def test_a_mark_that_cannot_be_written_is_told_in_etcdctls_words() -> None:
    kube = Namespace(put=[ExecError('{"level":"warn"}\n' + SILENT)])
    with pytest.raises(SequenceError) as failure:
        accept(kube, Cluster(kube, ["etcd-seed-0"]), TOKEN, Progress("discovery", -1))
    assert failure.value.problem.endswith(f"in vain for the birth mark to be written: {SILENT}")


def test_a_cluster_with_its_mark_is_gone_on_with() -> None:
    found = accepted(Namespace())
    assert (found.cluster_id, found.birth, found.revision) == ("1f", MARK, 7)


def test_a_cluster_that_says_it_has_no_mark_was_given_to_nobody() -> None:
    assert accepted(Namespace(get=[""])) is None


def test_nobody_is_asked_where_nothing_was_accepted() -> None:
    assert accepted(Namespace(get=[AssertionError("asked")]), note="") is None


def test_seeds_of_which_no_disk_is_left_are_not_waited_for_and_new_ones_are_not_started() -> None:
    kube = Namespace(get=[ExecError(SILENT)])
    assert accepted(kube, note="pod-0 claim-0") is None
    assert kube.released == 0


def test_a_unit_that_has_the_cluster_is_heard_though_no_seed_is_left() -> None:
    kube = Namespace()
    kube.workload = "etcd"
    assert accepted(kube).birth == MARK


def test_a_seeds_pod_that_was_made_anew_on_its_claim_is_let_start() -> None:
    kube = Namespace(get=[ExecError(SILENT), MARK])
    kube.pod, kube.claims = "pod-2", ["claim-1"]
    assert accepted(kube).birth == MARK
    assert kube.released == 2


@pytest.mark.parametrize("what", ["get", "list", "status"])
def test_whoever_may_have_been_let_in_is_waited_for(what: str) -> None:
    said = {"get": MARK, "list": LISTED, "status": ANSWERED}[what]
    kube = Namespace(**{what: [ExecError(SILENT), ExecError(SILENT), said]})
    assert accepted(kube).birth == MARK


@pytest.mark.parametrize("what", ["get", "list"])
def test_no_answer_is_never_taken_for_no_cluster(what: str) -> None:
    with pytest.raises(SequenceError) as failure:
        accepted(Namespace(**{what: [ExecError(SILENT)]}), seconds=-1)
    assert "members of an earlier run: " in failure.value.problem
    assert SILENT in failure.value.problem
    assert failure.value.following.startswith("bring its seeds back, then pulumi up")


def test_what_says_that_there_is_something_to_end_goes_last() -> None:
    kube = Namespace()
    wipe(kube, Progress("discovery", 60))
    assert kube.done == ["scale etcd-seed", "scale etcd-discovery", "no secret"]
