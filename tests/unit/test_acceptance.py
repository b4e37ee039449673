"""What an `up` knows of a cluster that an earlier one may have given to clients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from components.birth.acceptance import accept, accepted_earlier
from components.birth.teardown import wipe
from components.birth.tokens import Token
from components.etcd.cluster import Cluster
from components.kube.client import Kube
from components.kube.errors import ExecError
from components.names import GATE
from components.progress import Progress, SequenceError
from components.site import Site
from tests.support.namespace import MARK, NOW, answered, listed

TOKEN = Token("v3", "t", "http://etcd-discovery:2379")
SILENT = "Error: context deadline exceeded"
LISTED, ANSWERED = listed("etcd-seed-0"), answered("etcd-seed-0")


class Namespace(Kube):
    """A namespace with a seed, whose etcd answers what it is told to; an exception is raised."""

    workload = "etcd-seed"
    pod = "pod-1"
    gated = False
    claims: Sequence[str] = ()
    """One for each seed that has one, by ordinal."""
    others: Sequence[str] = ()
    """Further seeds, which are held, by what their pods are known."""

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
            "txn": ["SUCCESS"],
            "list": [LISTED],
            "status": [ANSWERED],
        }
        self.answers |= answers
        self.done: list[str] = []
        """What was changed, in its order."""
        self.marks: list[str] = []
        self.released: list[str] = []
        self.secret: dict[str, str] = dict(TOKEN.secret)

    def pods_and_time(self) -> tuple[list[Any], datetime]:
        return [*self.pods("etcd-seed"), *self.pods("etcd")], NOW

    def pods(self, stateful_set: str) -> list[Any]:
        if stateful_set != self.workload or "scale etcd-seed" in self.done:
            return []
        others = [self._pod(i, uid, gated=True) for i, uid in enumerate(self.others, 1)]
        return [self._pod(0, self.pod, gated=self.gated), *others]

    def _pod(self, ordinal: int, uid: str, *, gated: bool) -> Any:
        name = f"{self.workload}-{ordinal}"
        state = SimpleNamespace(running=object(), waiting=None)
        running = SimpleNamespace(name="etcd", state=state, ready=True)
        ready = SimpleNamespace(type="Ready", status="True", last_transition_time=NOW, reason=None)
        status = SimpleNamespace(
            conditions=[ready], init_container_statuses=None, container_statuses=[running]
        )
        if gated:
            status = SimpleNamespace(
                conditions=[], init_container_statuses=None, container_statuses=[], phase="Pending"
            )
        return SimpleNamespace(
            metadata=SimpleNamespace(name=name, uid=uid, deletion_timestamp=None),
            spec=SimpleNamespace(
                node_name="n", scheduling_gates=[SimpleNamespace(name=GATE)] if gated else None
            ),
            status=status,
        )

    def release(self, pods: Any) -> None:
        self.released += [p.metadata.name for p in pods if p.spec.scheduling_gates]
        if "etcd-seed-0" in self.released:
            self.gated = False

    def read_secret(self, name: str) -> dict[str, str]:
        return self.secret

    def _node_problem(self, name: str) -> str | None:
        return None

    def volumes(self, stateful_set: str) -> list[Any]:
        return [
            SimpleNamespace(
                metadata=SimpleNamespace(
                    name=f"data-{stateful_set}-{i}", uid=uid, deletion_timestamp=None
                )
            )
            for i, uid in enumerate(self.claims)
        ]

    def scale(self, stateful_set: str, replicas: int) -> None:
        self.done.append(f"scale {stateful_set}")

    def write_secret(self, name: str, data: Any) -> None:
        self.done.append("secret")
        self.secret = dict(data)

    def delete_secret(self, name: str) -> bool:
        self.done.append("no secret")
        return True

    def exec(self, pod: str, *command: str, seconds: float = 10.0) -> str:
        verb = next(word for word in command if word in self.answers)
        if verb == "txn":
            self.done.append("mark")
            (line,) = (x for x in command[4].splitlines() if x.startswith("put"))
            self.marks.append(json.loads(line.split(maxsplit=2)[2]))
        answers = self.answers[verb]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        # The mark that stands is the one that was written; tests/provider/test_birth_mark.py has a
        # real etcd.
        return self.marks[-1] if answer == MARK and self.marks else answer


def accepted(kube: Namespace, seconds: int = 60, note: str = "pod-1 claim-1") -> Any:
    kube.secret = {"accepted": note}
    return accepted_earlier(kube, kube.secret, Progress("discovery", seconds))


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
    kube = Namespace(txn=[lost, lost, "SUCCESS"])
    accept(kube, Cluster(kube, ["etcd-seed-0"]), TOKEN, Progress("discovery", 60))
    assert len(kube.marks) == 3
    assert len(set(kube.marks)) == 1


def test_a_mark_that_cannot_be_written_is_told_in_etcdctls_words() -> None:
    kube = Namespace(txn=[ExecError('{"level":"warn"}\n' + SILENT)])
    with pytest.raises(SequenceError) as failure:
        accept(kube, Cluster(kube, ["etcd-seed-0"]), TOKEN, Progress("discovery", -1))
    assert failure.value.problem.endswith(f"waiting for the birth mark to be written: {SILENT}")


def test_a_mark_that_a_client_deletes_at_once_is_written_again() -> None:
    kube = Namespace(get=["", MARK])
    found = accept(kube, Cluster(kube, ["etcd-seed-0"]), TOKEN, Progress("discovery", 60))
    assert kube.marks == [found.birth] * 2


class Overtaken(Namespace):
    """Another run begins an attempt of its own after so many looks at the Secret."""

    looks = 0

    def read_secret(self, name: str) -> dict[str, str]:
        self.looks -= 1
        return self.secret if self.looks >= 0 else {**TOKEN.secret, "token": "theirs"}


@pytest.mark.parametrize(("looks", "done"), [(0, []), (1, ["secret"])])
def test_seeds_of_another_run_get_no_mark(looks: int, done: list[str]) -> None:
    """That run has not noted it, and would throw them away."""
    kube = Overtaken()
    kube.looks = looks
    with pytest.raises(SequenceError, match="another pulumi up has begun a birth") as failure:
        accept(kube, Cluster(kube, ["etcd-seed-0"]), TOKEN, Progress("discovery", 60))
    assert failure.value.next_step == "pulumi up, once no other one runs"
    assert kube.done == done


def test_a_mark_of_another_run_is_the_end() -> None:
    kube = Namespace(get=["another"])
    with pytest.raises(SequenceError, match="another birth mark already, another: ") as failure:
        accept(kube, Cluster(kube, ["etcd-seed-0"]), TOKEN, Progress("discovery", 60))
    assert failure.value.next_step.startswith("pulumi up, once no other one runs")


def test_a_cluster_with_its_mark_is_gone_on_with() -> None:
    found = accepted(Namespace())
    assert (found.cluster_id, found.birth, found.revision) == ("1f", MARK, 7)


def test_a_cluster_that_says_it_has_no_mark_was_given_to_nobody() -> None:
    unwritten = ANSWERED.replace('"revision": 7', '"revision": 1')
    assert accepted(Namespace(get=[""], status=[unwritten])) is None


def test_a_cluster_that_was_written_to_was_given_though_its_mark_is_deleted() -> None:
    """The mark is the first write, and a key like all others."""
    found = accepted(Namespace(get=[""]))
    assert (found.cluster_id, found.birth, found.revision) == ("1f", "", 7)


def test_nobody_is_asked_where_nothing_was_accepted() -> None:
    assert accepted(Namespace(get=[AssertionError("asked")]), note="") is None


def test_seeds_of_which_no_disk_is_left_are_not_waited_for_and_new_ones_are_not_started() -> None:
    kube = Namespace(get=[ExecError(SILENT)])
    kube.gated = True
    assert accepted(kube, note="pod-0 claim-0") is None
    assert kube.released == []


def test_a_unit_that_has_the_cluster_is_heard_though_no_seed_is_left() -> None:
    kube = Namespace()
    kube.workload = "etcd"
    assert accepted(kube).birth == MARK


def test_a_seeds_pod_that_was_made_anew_on_its_claim_is_let_start() -> None:
    kube = Namespace()
    kube.pod, kube.claims, kube.gated = "pod-2", ["claim-1"], True
    assert accepted(kube).birth == MARK
    assert kube.released == ["etcd-seed-0"]


@pytest.mark.parametrize(
    ("claims", "note"),
    [
        pytest.param(["claim-1", "claim-of-now"], "claim-1 claim-2", id="its claim is new"),
        pytest.param([], "pod-1 pod-2", id="in memory"),
    ],
)
def test_a_seed_on_a_new_disk_stays_held_beside_one_that_comes_back(
    claims: list[str], note: str
) -> None:
    """It would run under its old ID, on an empty disk."""
    kube = Namespace(get=[ExecError(SILENT)])
    kube.claims, kube.others = claims, ["pod-of-now"]
    kube.gated, kube.pod = bool(claims), "pod-1" if not claims else "pod-of-later"
    with pytest.raises(SequenceError) as failure:
        accepted(kube, seconds=-1, note=note)
    assert kube.released == (["etcd-seed-0"] if claims else [])
    assert failure.value.problem.endswith(
        "; etcd-seed-1: scheduling gate kept, since its disk is new"
    )


def test_what_a_seed_is_held_on_when_a_cluster_is_accepted_is_not_noted() -> None:
    """Nobody knows what is on it: its pod was recreated since the cluster has formed."""
    kube = Namespace()
    kube.claims, kube.others = ["claim-1", "claim-2"], ["pod-2"]
    accept(kube, Cluster(kube, ["etcd-seed-0"]), TOKEN, Progress("discovery", 60))
    assert kube.secret["accepted"] == "claim-1 pod-1"


def test_a_seed_that_goes_before_the_mark_is_written_is_let_come_back() -> None:
    kube = Namespace(list=[ExecError(SILENT), LISTED])
    kube.claims = ["claim-1"]

    def evicted(name: str, data: Any) -> None:
        kube.secret, kube.gated, kube.pod = dict(data), True, "pod-2"

    kube.write_secret = evicted  # pyright: ignore[reportAttributeAccessIssue]
    accept(kube, Cluster(kube, ["etcd-seed-0"]), TOKEN, Progress("discovery", 60))
    assert kube.released == ["etcd-seed-0"]


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
    following = failure.value.next_step
    assert following.startswith("bring its seeds back, then pulumi up")
    assert "with etcd:storage.retain it names the volumes that are to go first" in following


def test_what_says_that_there_is_something_to_end_goes_last() -> None:
    kube = Namespace()
    wipe(kube, Progress("discovery", 60))
    assert kube.done == ["scale etcd-seed", "scale etcd-discovery", "no secret"]
