"""A birth mark beside that of another run, with real etcd. Stands in for Kubernetes: commands run
on this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.birth.acceptance import accept
from components.birth.tokens import Token
from components.etcd.cluster import Cluster
from components.kube.client import printed
from components.kube.errors import ExecError
from components.progress import Progress, SequenceError
from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from lab.tools import ensure
from tests.support.loopback import LoopbackEtcd, loopback_etcd
from tests.support.namespace import Namespace
from tests.support.supervisor import eventually

SEED = "etcd-seed-0"
OURS, THEIRS = (Token("v3", name, "http://etcd-discovery:2379") for name in ("ours", "theirs"))


@pytest.fixture(scope="module")
def programs() -> dict[str, Path]:
    return ensure(["etcd", "etcdctl"])


@pytest.fixture
def seed(programs: dict[str, Path], tmp_path: Path) -> Iterator[LoopbackEtcd]:
    with loopback_etcd(programs, tmp_path, [SEED]) as members:
        members.start(SEED, cluster=[SEED])
        eventually("an answer", lambda: members.is_ready(SEED))
        yield members


class Pods(Namespace):
    """A seed's pod; the answers to the first `lost` marks do not come back."""

    def __init__(self, seed: LoopbackEtcd, etcdctl: Path, lost: int = 0) -> None:
        super().__init__()
        self.secret: dict[str, str] = {}
        (self.url,), self.lost = seed.endpoints(SEED), lost
        self.env = {"PATH": os.pathsep.join([str(etcdctl.parent), os.environ["PATH"]])}

    def read_secret(self, name: str) -> dict[str, str]:
        return self.secret

    def write_secret(self, name: str, data: Any) -> None:
        self.secret = dict(data)

    def exec(self, pod: str, *command: str, seconds: float = 10.0) -> str:
        words = [word.replace(self.site.local_url, self.url) for word in command]
        done = subprocess.run(
            words, env=self.env, capture_output=True, text=True, timeout=seconds, check=False
        )
        if self.lost and "txn" in words:
            self.lost -= 1
            raise ExecError("the connection was cut")
        return printed(done.stdout, done.stderr, done.returncode)


def accepted(kube: Pods, token: Token) -> str:
    kube.secret = dict(token.secret)
    return accept(kube, Cluster(kube, [SEED]), token, Progress("discovery", 30)).birth


def stands(seed: LoopbackEtcd) -> str:
    return seed.ctl("get", "--print-value-only", BIRTH_KEY, at=[SEED]).strip()


def test_a_mark_of_another_run_is_never_overwritten(
    seed: LoopbackEtcd, programs: dict[str, Path]
) -> None:
    """Whoever was let in knows it: every sequence would say that the cluster was formed anew."""
    kube = Pods(seed, programs["etcdctl"])
    theirs = accepted(kube, THEIRS)
    with pytest.raises(SequenceError) as failure:
        accepted(kube, OURS)
    assert theirs in failure.value.problem
    assert "another birth mark already" in failure.value.problem
    assert failure.value.next_step.startswith("pulumi up, once no other one runs")
    assert stands(seed) == theirs


def test_an_own_mark_whose_answer_was_lost_is_known_again(
    seed: LoopbackEtcd, programs: dict[str, Path]
) -> None:
    assert accepted(Pods(seed, programs["etcdctl"], lost=2), OURS) == stands(seed) != ""
