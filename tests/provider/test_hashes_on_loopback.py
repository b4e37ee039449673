"""The receipt of real members. Stands in for Kubernetes: commands run on this machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.change.loop import Loop
from components.change.proof import prove, receipt_of
from components.etcd.hashes import Hashing
from components.kube.client import printed
from components.progress import Progress, SequenceError
from components.site import Site
from containers.etcd.supervisor.membership import View
from lab.tools import ensure
from tests.faults.injection.pod_processes import stopped
from tests.support.dynamic import SITE
from tests.support.loopback import LoopbackEtcd, loopback_etcd
from tests.support.stack import until

UNITS = ("etcd-0", "etcd-1", "etcd-2")
APART = "apart"
"""A cluster of its own, with other content."""


@pytest.fixture(scope="module")
def programs() -> dict[str, Path]:
    return ensure(["etcd", "etcdctl"])


@pytest.fixture
def etcd(programs: dict[str, Path], tmp_path: Path) -> Iterator[LoopbackEtcd]:
    with loopback_etcd(programs, tmp_path, [*UNITS, APART]) as members:
        members.start(*UNITS, cluster=UNITS)
        until("an answer of all", lambda: _written(members))
        yield members


def _written(etcd: LoopbackEtcd) -> bool:
    try:
        etcd.ctl("put", "key", "value", at=UNITS)
        return all("key" in etcd.ctl("get", "key", at=[name]) for name in UNITS)
    except subprocess.CalledProcessError:
        return False


class Pods:
    """As `Kube`: the members of a cluster on loopback, which know nothing of pods."""

    def __init__(self, etcd: LoopbackEtcd, etcdctl: Path) -> None:
        self.site = Site.of({"site": SITE})
        self.etcdctl = etcdctl
        self.places = dict(zip(etcd.endpoints(*UNITS), UNITS, strict=True))
        self.moved: dict[str, str] = {}
        """Hashes of this member are those of another one."""

    def exec(self, pod: str, *command: str, seconds: float = 10.0) -> str:
        local = next(url for url, name in self.places.items() if name == pod)
        words = [word.replace(self.site.local_url, local) for word in command[1:]]
        if "hashkv" in words:
            words = [self.moved.get(word, word) for word in words]
        done = subprocess.run(
            [self.etcdctl, *words], capture_output=True, text=True, timeout=seconds, check=False
        )
        return self._as_pods(printed(done.stdout, done.stderr, done.returncode))

    def _as_pods(self, text: str) -> str:
        """With the addresses of units, where the members' are given."""
        if not text.startswith('{"header"'):
            return text
        answer = json.loads(text)
        for member in answer.get("members", ()):
            member["peerURLs"] = [f"http://{member['name']}.etcd-peer:2380"]
        return json.dumps(answer)

    def pods_and_time(self) -> tuple[list[Any], datetime]:
        said = SimpleNamespace(conditions=[], init_container_statuses=None, container_statuses=[])
        named = [SimpleNamespace(name=name, deletion_timestamp=None) for name in UNITS]
        return [SimpleNamespace(metadata=m, status=said) for m in named], datetime.now(UTC)

    def volumes(self, _stateful_set: str) -> list[Any]:
        return []


@pytest.fixture
def pods(etcd: LoopbackEtcd, programs: dict[str, Path]) -> Pods:
    return Pods(etcd, programs["etcdctl"])


def looked(pods: Pods, etcd: LoopbackEtcd) -> Loop:
    """A sequence that has just ended."""
    kube: Any = pods
    row = json.loads(etcd.ctl("endpoint", "status", "-w", "json", at=["etcd-0"]))[0]
    cluster = f"{row['Status']['header']['cluster_id']:x}"
    props = {"units": 3, "cluster_id": cluster, "birth": ""}
    loop = Loop.of(kube, props, Progress("scale", 60))

    def all_answer() -> bool:
        seen = loop.look()
        return isinstance(seen, View) and len(seen.statuses) == len(UNITS)

    until("an answer of all", all_answer)
    return loop


def test_members_that_hold_the_same_have_one_hash(pods: Pods, etcd: LoopbackEtcd) -> None:
    loop = looked(pods, etcd)
    assert loop.seen is not None
    assert all(s.in_use_bytes > 0 for s in loop.seen.statuses.values())
    found = prove(loop)["receipt"]
    assert found["consistent"] is True
    assert found["members"] == list(UNITS)
    assert found["leader"] == etcd.leader(UNITS)


def test_a_follower_that_stands_still_is_named_and_the_others_are_compared(
    pods: Pods, etcd: LoopbackEtcd
) -> None:
    still = next(name for name in UNITS if name != etcd.leader(UNITS))

    def compared() -> tuple[Hashing, bool, Any] | None:
        """Of a look from before, once none but that one has taken the 3 s: a machine that stands
        still makes others late as well."""
        loop = looked(pods, etcd)
        assert loop.seen is not None
        hashing = Hashing(loop.cluster)
        with stopped(etcd.pid(still)):
            found = receipt_of(hashing, loop.seen)
        only = found["missing"] == [f"no hash from {still} within 3 s"]
        return (hashing, hashing.resting, found) if only else None

    hashing, resting, found = until("that one's hash alone to be missing", compared, 120)
    assert found["members"] == [name for name in UNITS if name != still]
    assert (found["differences"], found["consistent"]) == ([], False)
    assert resting
    assert hashing.late == {still}


def test_where_nobody_gives_a_hash_each_is_named(pods: Pods, etcd: LoopbackEtcd) -> None:
    loop = looked(pods, etcd)
    assert loop.seen is not None
    etcd.kill(*UNITS)
    found = receipt_of(Hashing(loop.cluster), loop.seen)
    assert (found["hash"], found["members"], len(found["missing"])) == (None, [], 3)
    assert sorted(found["missing"]) == [f"no hash from {name} within 3 s" for name in UNITS]


def test_a_revision_that_was_compacted_meanwhile_is_looked_for_anew(
    pods: Pods, etcd: LoopbackEtcd
) -> None:
    loop = looked(pods, etcd)
    assert loop.seen is not None
    seen = next(iter(loop.seen.statuses.values())).revision
    for value in "abc":
        etcd.ctl("put", "key", value, at=["etcd-0"])
    etcd.ctl("compact", str(seen + 3), at=["etcd-0"])
    stale = receipt_of(Hashing(loop.cluster), loop.seen)
    assert all("has been compacted" in text for text in stale["missing"]), stale
    found = prove(loop)["receipt"]
    assert found["consistent"] is True
    assert found["revision"] == seen + 3


def test_a_member_with_other_content_fails_the_sequence_and_is_named(
    pods: Pods, etcd: LoopbackEtcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.change.proof.AGREE_SECONDS", 1.0)
    etcd.start(APART, cluster=[APART])
    until("the other one", lambda: _other(etcd))
    (mine,), (other,) = etcd.endpoints("etcd-1"), etcd.endpoints(APART)
    pods.moved = {f"--endpoints={mine}": f"--endpoints={other}"}
    with pytest.raises(SequenceError, match=r"on etcd-0, etcd-2, but \d+ on etcd-1\b"):
        prove(looked(pods, etcd))


def _other(etcd: LoopbackEtcd) -> bool:
    """Write as often as to the others, so that it has their revision."""
    try:
        revision = json.loads(etcd.ctl("get", "key", "-w", "json", at=UNITS))["header"]["revision"]
        told = etcd.ctl("put", "key", "something else", "-w", "json", at=[APART])
    except subprocess.CalledProcessError:
        return False
    return json.loads(told)["header"]["revision"] >= revision
