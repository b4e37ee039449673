"""How long a birth waits for seeds that form the cluster, and when nothing more can come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from components.birth.bootstrap import run_seeds
from components.birth.tokens import Token
from components.kube.errors import ExecError
from components.progress import Progress, SequenceError
from tests.support.namespace import NOW, Namespace, pod

SEEDS = ("etcd-seed-0", "etcd-seed-1", "etcd-seed-2")
FORMS = {"failed": False, "phase": "waiting for the cluster's birth mark"}


def used_up(code: int | None) -> dict[str, Any]:
    how = "" if code is None else f" with {code}"
    phase = f"etcd ended{how} before the cluster had formed: this token is used up"
    return {"failed": True, "exitCode": code, "phase": phase}


class Forming(Namespace):
    """Three seeds that all run at first, of which some answer as voters later."""

    def __init__(self, *answering: str, **later: Any) -> None:
        """`later`: of the second seed's pod, once all have run."""
        super().__init__(pods=[pod(seed) for seed in SEEDS])
        self.statuses = {seed: [FORMS] for seed in SEEDS}
        self.at_first: list[Any] | None = list(self.found)
        self.found[1] = pod(SEEDS[1], **later)
        silence = ExecError("context deadline exceeded")
        self.answers["list"] = [listed_seeds(answering) if answering else silence]
        self.answers["status"] = [answers_of(answering) if answering else silence]

    def pods_and_time(self) -> tuple[list[Any], datetime]:
        found, self.at_first = self.at_first or list(self.found), None
        return found, NOW

    def scale(self, stateful_set: str, replicas: int) -> None: ...

    def ended(self, seconds: int = -1) -> SequenceError:
        """How a bootstrap ends here, which has `seconds` for it."""
        token = Token("v2", "t", "http://discovery.example.com")
        with pytest.raises(SequenceError) as failure:
            run_seeds(self, token, len(SEEDS), Progress("discovery", seconds), own=False)
        return failure.value


def listed_seeds(started: Sequence[str]) -> str:
    """All are listed from the beginning; who has not started has published no address."""
    members = [
        {
            "ID": i,
            "name": seed,
            "peerURLs": [f"http://{seed}.etcd-peer:2380"],
            "clientURLs": [f"http://{seed}.etcd-peer:2379"] if seed in started else [],
        }
        for i, seed in enumerate(SEEDS, 1)
    ]
    return json.dumps({"header": {"cluster_id": 31}, "members": members})


def answers_of(seeds: Sequence[str]) -> str:
    ids = [SEEDS.index(seed) + 1 for seed in seeds]
    headers = [{"cluster_id": 31, "member_id": i} for i in ids]
    return json.dumps([{"Status": {"header": header, "leader": ids[0]}} for header in headers])


@pytest.mark.parametrize(
    "answering",
    [
        pytest.param((), id="nobody answers"),
        pytest.param(("etcd-seed-0", "etcd-seed-2"), id="the others form it without this one"),
    ],
)
def test_a_seed_that_can_vote_no_more_ends_the_wait_at_once(answering: Sequence[str]) -> None:
    """The others are a quorum without it, and wait for it in vain."""
    kube = Forming(*answering)
    kube.statuses["etcd-seed-1"] = [used_up(1)]
    ended = kube.ended()
    assert ended.problem == f"seed etcd-seed-1: {used_up(1)['phase']}"
    assert "new token" in ended.next_step


@pytest.mark.parametrize(
    ("status", "starved", "told"),
    [
        pytest.param(
            used_up(-9),
            False,
            "(killed, perhaps for want of memory: etcd:seeds.memory)",
            id="etcd alone was",
        ),
        pytest.param(
            used_up(None),
            True,
            "; etcd-seed-1: not ready, OOMKilled at ",
            id="its container was, and a new supervisor does not know",
        ),
    ],
)
def test_a_seed_that_was_killed_is_to_be_given_more_memory(
    status: dict[str, Any], starved: bool, told: str
) -> None:
    kube = Forming(starved=starved)
    kube.statuses["etcd-seed-1"] = [status]
    ended = kube.ended()
    assert ended.problem.startswith(f"seed etcd-seed-1: {status['phase']}")
    assert told in ended.problem
    assert ended.next_step == (
        "pulumi config set --path etcd:seeds.memory 2Gi, or more, then pulumi up"
    )


def test_only_seeds_that_do_not_answer_are_asked_why() -> None:
    kube = Forming("etcd-seed-0", "etcd-seed-2")
    assert "2 of 3 seeds answer as voters" in kube.ended().problem
    assert set(kube.asked) == {"etcd-seed-1"}


@pytest.mark.parametrize(
    "answering", [(), ("etcd-seed-0", "etcd-seed-2")], ids=["nobody answers", "the others answer"]
)
def test_a_seed_that_ends_again_and_again_ends_the_wait_at_once_with_what_helps(
    answering: Sequence[str],
) -> None:
    ended = Forming(*answering, waiting="CrashLoopBackOff", starved=True).ended()
    assert ended.problem.startswith(
        "pod etcd-seed-1: CrashLoopBackOff (OOMKilled, exit code 137): "
    )
    assert "etcd:seeds.memory 2Gi" in ended.next_step


def test_all_seeds_that_answer_as_voters_are_the_cluster() -> None:
    kube = Forming(*SEEDS)
    token = Token("v2", "t", "http://discovery.example.com")
    assert run_seeds(kube, token, len(SEEDS), Progress("discovery", -1), own=False)
    assert kube.asked == []
