"""What `make status` says of the members' hashes, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from components import status
from components.progress import SequenceError
from tests.support.dynamic import SITE
from tests.support.hashed import LEADER, PODS, Answer, Hashed

CLUSTER = "cluster 1, revision 5"


def state(changed: Mapping[str, Any], *, revision: int = 5) -> list[dict[str, Any]]:
    """What Pulumi's state has of the cluster that `Hashed` is. `changed`: of the handover's inputs.

    `revision`: that the last sequence, a scale, has left.
    """
    known = {"units": len(PODS), "cluster_id": "1", "birth": "b"}
    secret = {"plaintext": '""'}
    return [
        {"type": "kubernetes:core/v1:Service"},
        {
            "type": status.HANDOVER,
            "inputs": {"site": SITE, "kubeconfig": secret, **known, **changed},
            "outputs": {"proof": {"revision": 2, "at": 100}},
        },
        {
            "type": "pulumi-python:dynamic/etcd:Scale",
            "inputs": {},
            "outputs": {"proof": {"revision": revision, "at": 200.0}},
        },
        {"type": "pulumi-python:dynamic/etcd:Rollout", "inputs": {}, "outputs": {"proof": {}}},
    ]


def record(monkeypatch: pytest.MonkeyPatch, resources: list[dict[str, Any]]) -> None:
    monkeypatch.setattr("components.status._resources", lambda _stack: resources)  # pyright: ignore[reportUnknownLambdaType]


@pytest.fixture
def members(monkeypatch: pytest.MonkeyPatch) -> Hashed:
    found = Hashed(monkeypatch)

    def kube(*_args: Any, **_options: Any) -> Hashed:
        return found

    record(monkeypatch, state({}))
    monkeypatch.setattr("components.status.Kube", kube)
    monkeypatch.setattr(sys, "argv", ["status", "--stack", "dev"])
    return found


@pytest.mark.parametrize(
    ("answers", "code", "says"),
    [
        pytest.param(
            {}, 0, [f"{CLUSTER}, hash 7 on all members", "healthy"], id="all hold the same"
        ),
        pytest.param(
            {"etcd-2": [None]},
            1,
            [
                f"{CLUSTER}, hash 7 on etcd-0, etcd-1",
                "UNHEALTHY: no hash from etcd-2 within 3 s",
            ],
            id="one hash does not come",
        ),
        pytest.param(
            dict.fromkeys(PODS, (None,)),
            1,
            [
                CLUSTER,
                "UNHEALTHY: "
                + "; ".join(f"no hash from {p} within 3 s" for p in ("etcd-0", "etcd-2", LEADER)),
            ],
            id="no hash comes",
        ),
        pytest.param(
            {"etcd-2": [8]},
            1,
            [
                CLUSTER,
                "UNHEALTHY: hashes differ at revision 5: 7 on etcd-0, etcd-1, but 8 on etcd-2",
            ],
            id="members differ",
        ),
        pytest.param(
            {"etcd-2": ["Error: no disk"]},
            1,
            [
                f"{CLUSTER}, hash 7 on etcd-0, etcd-1",
                "UNHEALTHY: no hash from etcd-2: Error: no disk",
            ],
            id="one refuses",
        ),
    ],
)
def test_status_names_the_member_whose_hash_is_missing_or_another(
    answers: dict[str, Sequence[Answer]],
    code: int,
    says: list[str],
    members: Hashed,
    capsys: pytest.CaptureFixture[str],
) -> None:
    members.answers.update(answers)
    assert status.main() == code
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in says] == says


def test_status_asks_for_no_hash_of_a_large_database_and_says_so(
    members: Hashed, capsys: pytest.CaptureFixture[str]
) -> None:
    members.megabytes = 1234
    assert status.main() == 0
    assert members.asked == []
    told = capsys.readouterr().out
    assert "Note: hashes were not compared: 1234 MB are in use" in told
    assert told.endswith("healthy\n")


@pytest.mark.parametrize("silent", [(), PODS], ids=["etcd answers", "no quorum"])
def test_status_names_who_is_out_of_memory_and_the_setting(
    silent: Sequence[str], members: Hashed, capsys: pytest.CaptureFixture[str]
) -> None:
    members.starved = ("etcd-2",)
    members.silent = lambda: silent
    assert status.main() == 1
    *_, found, following = capsys.readouterr().out.splitlines()
    assert found.startswith("UNHEALTHY: ")
    assert "etcd-2: not ready, OOMKilled at " in found
    assert (
        following == "Next: pulumi config set --path etcd:units.memory 2Gi, or more, then pulumi up"
    )


@pytest.mark.parametrize(
    ("silent", "ready", "asked"),
    [
        pytest.param(["etcd-2"], ["etcd-0", "etcd-1"], ["etcd-2"], id="the others serve"),
        pytest.param(["etcd-2"], ["etcd-0"], ["etcd-2"], id="another is not ready, and answers"),
        pytest.param(PODS, [], list(PODS), id="no quorum"),
        pytest.param([], [], [], id="etcd answers"),
    ],
)
def test_status_tells_why_no_etcd_answers_in_a_unit_that_runs(
    silent: Sequence[str],
    ready: Sequence[str],
    asked: list[str],
    members: Hashed,
    capsys: pytest.CaptureFixture[str],
) -> None:
    phase = "etcd ended with 2; starting again"
    members.said = {pod: {"phase": phase} for pod in PODS}
    members.silent, members.ready = lambda: silent, ready
    assert status.main() == (1 if silent else 0)
    told = capsys.readouterr().out
    assert [f"; {pod}: {phase}" in told for pod in PODS] == [pod in asked for pod in PODS]
    assert sorted(members.questions) == asked


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        pytest.param(
            state({"cluster_id": "2"}),
            "cluster 1 answers, but cluster 2 was born here",
            id="another cluster ID",
        ),
        pytest.param(
            state({"birth": "a"}),
            "cluster 1 answers with birth mark b, but a was recorded: it was formed a second time",
            id="another birth mark",
        ),
        pytest.param(
            state({}, revision=6),
            "cluster 1 is at revision 5, but revision 6 was reached already: data was lost",
            id="a revision below the one of the last proof",
        ),
    ],
)
def test_status_calls_no_cluster_healthy_that_is_not_the_recorded_one(
    recorded: list[dict[str, Any]],
    found: str,
    members: Hashed,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record(monkeypatch, recorded)
    assert status.main() == 1
    *_, told, following = capsys.readouterr().out.splitlines()
    assert told == f"UNHEALTHY: {found}"
    command = "kubectl --context here -n etcd get pods,pvc"
    assert following.startswith(f"Next: stop the clients, then {command}")
    assert members.asked == [], "no hash of a stranger"


@pytest.mark.parametrize("silent", [(), ("by-hand",)], ids=["well", "dead"])
def test_status_names_a_member_that_is_no_unit_and_how_it_is_removed(
    silent: Sequence[str], members: Hashed, capsys: pytest.CaptureFixture[str]
) -> None:
    members.members, members.silent = (*PODS, "by-hand"), lambda: silent
    assert status.main() == 1
    *_, told, following = capsys.readouterr().out.splitlines()
    named = (
        "neither a seed nor a unit of this stack: by-hand (ID 4, peer URL http://by-hand.p:2380)"
    )
    assert told.startswith(f"UNHEALTHY: {named}")
    assert following.startswith("Next: kubectl --context here -n etcd exec etcd-0 -- etcdctl ")
    assert "member remove 4, if nobody needs it" in following
    assert members.asked == [], "no hash of a stranger"


def test_an_alarm_is_told_once_though_each_member_tells_it(
    members: Hashed, capsys: pytest.CaptureFixture[str]
) -> None:
    members.errors = ("memberID:1 alarm:NOSPACE ",)
    assert status.main() == 1
    told = capsys.readouterr().out
    assert told.count("alarm:NOSPACE") == 1, told


def test_the_first_key_is_put_and_got_by_the_members_own_port(
    members: Hashed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record(monkeypatch, state({"site": {**SITE, "local_url": "http://127.0.0.1:12379"}}))
    monkeypatch.setattr(sys, "argv", ["status", "--stack", "dev", "--first-key"])
    assert status.main() == 0
    etcdctl = "kubectl --context here -n etcd exec etcd-0 -- etcdctl"
    assert capsys.readouterr().out.splitlines() == [
        f"  {etcdctl} --endpoints=http://127.0.0.1:12379 put greeting hello",
        f"  {etcdctl} --endpoints=http://127.0.0.1:12379 get greeting",
    ]


def test_the_first_key_is_put_by_the_kubeconfig_that_the_settings_name(
    members: Hashed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect = "kubectl --kubeconfig mine --context here -n etcd exec etcd-0 -- etcdctl"
    record(monkeypatch, [*state({}), {"type": status.STACK, "outputs": {"connect": connect}}])
    monkeypatch.setattr(sys, "argv", ["status", "--stack", "dev", "--first-key"])
    assert status.main() == 0
    assert capsys.readouterr().out.splitlines() == [
        f"  {connect} put greeting hello",
        f"  {connect} get greeting",
    ]


NO_PASSPHRASE = "passphrase must be set with PULUMI_CONFIG_PASSPHRASE"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(
            f"echo 'error: constructing secrets manager:\n{NO_PASSPHRASE}' >&2; exit 1",
            [
                "Pulumi does not give the state of stack dev: "
                f"error: constructing secrets manager: {NO_PASSPHRASE}",
                "Next: make status STACK=dev, once that is mended",
            ],
            id="no passphrase",
        ),
        pytest.param(
            "exit 9",
            [
                "Pulumi does not give the state of stack dev: exit code 9",
                "Next: make status STACK=dev, once that is mended",
            ],
            id="without a word",
        ),
        pytest.param(
            "echo \"error: no stack named 'dev' found\" >&2; exit 6",
            [
                "Pulumi does not give the state of stack dev: error: no stack named 'dev' found",
                "Next: make up STACK=dev",
            ],
            id="no such stack, or another backend",
        ),
        pytest.param(
            """echo '{"deployment": {"manifest": {}}}'""",
            ["stack dev has no cluster, or not a balanced one", "Next: make up STACK=dev"],
            id="a stack without a cluster",
        ),
    ],
)
def test_a_state_that_pulumi_does_not_give_is_told_in_its_words(
    answer: str,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As the CLI ends: a passphrase, a login or a backend that is missing is no missing cluster."""
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(f"#!/bin/sh\n{answer}\n")
    pulumi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["status", "--stack", "dev"])
    assert status.main() == 1
    assert capsys.readouterr().err.splitlines() == told


@pytest.mark.parametrize(
    ("newest", "told"),
    [
        pytest.param("r2", False, id="all have it"),
        pytest.param("r3", True, id="none has it"),
        pytest.param(None, False, id="not known yet"),
    ],
)
def test_units_that_do_not_run_on_the_newest_template_are_told(
    newest: str | None, told: bool, members: Hashed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody has changed the StatefulSet by hand, or an `up` was cut off."""
    members.newest = newest
    assert status.main() == 0
    note = "Note: not on the newest template: etcd-0, etcd-1, etcd-2 (docs/runbook.md"
    assert (note in capsys.readouterr().out) is told


def test_a_cluster_that_cannot_be_asked_is_told_with_whose_kubeconfig_it_was_asked(
    members: Hashed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A colleague would look for what is wrong in one's own."""

    def kube(*_args: Any, **_options: Any) -> Hashed:
        raise SequenceError("no login to Kubernetes", "log in")

    monkeypatch.setattr("components.status.Kube", kube)
    assert status.main() == 1
    note, *error = capsys.readouterr().err.splitlines()
    assert "asked by the kubeconfig that the last `pulumi up` noted" in note
    assert error == ["no login to Kubernetes", "Next: log in"]
