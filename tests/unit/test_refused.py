"""What waiting does not help against: etcd's authentication, and the alarm CORRUPT. Kubernetes and
etcd are stood in for."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from components import status
from components.birth import teardown
from components.change.plan import Wait
from components.etcd.cluster import Cluster, NoUserError
from components.etcd.corruption import CorruptError
from components.kube.errors import ExecError
from components.progress import Progress, SequenceError
from components.site import Site
from tests.support.dynamic import SITE
from tests.support.hashed import Hashed
from tests.unit.test_status import record, state

NO_USER = "Error: etcdserver: user name is empty"
"""As etcdctl prints it: tests/provider/test_unit_auth.py has a real one."""
CORRUPT = "memberID:3 alarm:CORRUPT "


def refuses(_pod: str, *_command: str, seconds: float = 0) -> str:
    raise ExecError(NO_USER)


@pytest.fixture
def members(monkeypatch: pytest.MonkeyPatch) -> Hashed:
    return Hashed(monkeypatch)


def sequence(members: Hashed) -> None:
    """One that can only wait."""
    unseen: Any = None
    members.loop().run(lambda _view, _now: Wait("all to be well"), unseen)


def end_at_once(members: Hashed) -> SequenceError:
    """With what it ends long before its deadline."""
    began = members.clock.now
    with pytest.raises(SequenceError) as failure:
        sequence(members)
    assert members.clock.now - began < 1
    return failure.value


def test_a_sequence_ends_at_once_where_etcd_wants_a_user(
    members: Hashed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "exec", refuses)
    failure = end_at_once(members)
    assert isinstance(failure, NoUserError)
    assert "authentication is on" in failure.problem
    assert "exec -it etcd-0 -- etcdctl" in failure.next_step
    assert "--user root auth disable, then pulumi up" in failure.next_step


def test_every_question_to_the_cluster_tells_that_a_user_is_wanted() -> None:
    kube: Any = SimpleNamespace(site=Site(**SITE), exec=refuses)
    cluster = Cluster(kube, ["etcd-0"])
    with pytest.raises(NoUserError):
        cluster.view()
    with pytest.raises(NoUserError):
        cluster.get("key")


def test_a_discovery_service_that_wants_a_user_fails_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its used token harms nothing, and its authentication is somebody else's."""
    kube: Any = SimpleNamespace(site=Site(**SITE), exec=refuses)
    secret = {"protocol": "v3", "token": "t", "endpoint": "http://elsewhere:2379"}
    teardown.forget(kube, Cluster(kube, ["etcd-0"]), secret, Progress("handover", 60))
    assert "http://elsewhere:2379 still holds the keys" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "whose"), [(CORRUPT, " for etcd-2"), ("alarm:CORRUPT ", "")], ids=["told", "not told"]
)
def test_a_sequence_ends_at_once_under_the_alarm_that_data_differs(
    error: str, whose: str, members: Hashed
) -> None:
    members.errors = (error,)
    failure = end_at_once(members)
    assert isinstance(failure, CorruptError)
    assert failure.problem == (
        f"etcd's alarm CORRUPT stands{whose}: members hold different data, and none serves"
    )
    assert failure.next_step == "docs/runbook.md, alarm CORRUPT, then pulumi up"


def test_a_full_database_is_waited_for(members: Hashed) -> None:
    """Somebody may make room meanwhile."""
    members.errors = ("memberID:3 alarm:NOSPACE ",)
    with pytest.raises(SequenceError, match="not balanced after 600 s: all to be well"):
        sequence(members)


@pytest.mark.parametrize(
    ("errors", "execute", "says", "following"),
    [
        pytest.param(
            (CORRUPT,),
            None,
            "UNHEALTHY: etcd's alarm CORRUPT stands for etcd-2",
            "alarm CORRUPT",
            id="the alarm",
        ),
        pytest.param((), refuses, "authentication is on", "auth disable", id="a user is wanted"),
    ],
)
def test_status_tells_the_way_out(
    errors: tuple[str, ...],
    execute: Any,
    says: str,
    following: str,
    members: Hashed,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def kube(*_args: Any, **_options: Any) -> Hashed:
        return members

    record(monkeypatch, state({}))
    monkeypatch.setattr("components.status.Kube", kube)
    monkeypatch.setattr(sys, "argv", ["status", "--stack", "dev"])
    members.errors = errors
    if execute:
        monkeypatch.setattr(members, "exec", execute)
    assert status.main() == 1
    told = "".join(capsys.readouterr())
    assert says in told
    assert following in told.splitlines()[-1]
    assert "Note: asked" not in told, "the way there is right"
