"""What a GKE cluster needs is looked for before Google is asked for anything."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from components.dynamic.requirements import HINTS, RequirementsProvider
from components.preflight import google_apis
from components.progress import SequenceError
from components.settings.immutable import refusal
from tests.support.answers import Reply, Server, serving

PROPS: dict[str, Any] = {
    "cluster": "projects/my-project/locations/us-central1/clusters/etcd-prod",
    "project": "my-project",
    "apis": ["compute.googleapis.com", "container.googleapis.com"],
    "programs": ["gke-gcloud-auth-plugin", "docker"],
    "fixed": {"gke.region": "us-central1", "gke.zone": "null"},
    "nodes": {"machine_type": "e2-standard-2", "platform": "linux/amd64"},
}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with both programs; the plugin gives the token `secret-token`."""
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path / "docker", "")
    answer = {"kind": "ExecCredential", "status": {"token": "secret-token"}}
    program(tmp_path / "gke-gcloud-auth-plugin", f"echo '{json.dumps(answer)}'")
    return tmp_path


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def failures(olds: dict[str, Any], news: dict[str, Any]) -> list[str]:
    return [failure.reason for failure in RequirementsProvider().check(olds, news).failures]


def test_the_provider_stands_in_the_state_by_its_promised_name() -> None:
    pickled = serialize_provider(RequirementsProvider())
    assert len(pickled) < 200, "pickled by value"
    assert b"components.dynamic.requirements" in base64.b64decode(pickled)
    assert b"RequirementsProvider" in base64.b64decode(pickled)


# ---------------------------------------------------------------- programs


@pytest.mark.usefixtures("path")
def test_with_all_programs_a_preview_passes() -> None:
    assert failures({}, PROPS) == []


@pytest.mark.parametrize("name", HINTS)
def test_a_missing_program_is_named_in_preview_with_the_way_to_it(path: Path, name: str) -> None:
    (path / name).unlink()
    (text,) = failures({}, PROPS)
    assert text == f"not found on PATH: {name}.\nNext: {HINTS[name]}"


def test_all_missing_programs_are_named_together(path: Path) -> None:
    for name in HINTS:
        (path / name).unlink()
    (text,) = failures({}, PROPS)
    assert text.startswith("not found on PATH: gke-gcloud-auth-plugin, docker.\n")


def test_a_program_that_is_not_needed_is_not_looked_for(path: Path) -> None:
    (path / "docker").unlink()
    assert failures({}, {**PROPS, "programs": ["gke-gcloud-auth-plugin"]}) == []


# ---------------------------------------------------------------- what would replace the cluster


@pytest.mark.usefixtures("path")
def test_another_region_is_refused_in_preview_and_the_plan_is_told() -> None:
    news = {
        **PROPS,
        "cluster": "projects/my-project/locations/europe-west1/clusters/etcd-prod",
        "fixed": {"gke.region": "europe-west1", "gke.zone": "null"},
    }
    (text,) = failures(PROPS, news)
    assert text.startswith("etcd:gke.region goes from us-central1 to europe-west1: not possible")
    assert f"It would replace {PROPS['cluster']}" in text
    assert "every member and its data" in text
    assert text.splitlines()[-1].startswith(
        "Next: pulumi config set --path etcd:gke.region us-central1 (or "
    )
    assert failures({}, news) == [], "no cluster yet: all is open"


@pytest.mark.usefixtures("path")
def test_nodes_of_another_processor_are_refused_in_preview() -> None:
    arm = {**PROPS, "nodes": {"machine_type": "t2a-standard-2", "platform": "linux/arm64"}}
    for old, new in ((PROPS, arm), (arm, PROPS)):
        (text,) = failures(old, new)
        machine = old["nodes"]["machine_type"]
        changed = f"{machine} to {new['nodes']['machine_type']}"
        assert text.startswith(f"etcd:gke.machineType goes from {changed}: not possible while")
        assert f"images for {new['nodes']['platform']} alone" in text
        following = f"Next: pulumi config set --path etcd:gke.machineType {machine} (or "
        assert text.splitlines()[-1].startswith(following)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    "olds",
    [
        pytest.param({}, id="no cluster yet"),
        pytest.param({k: v for k, v in PROPS.items() if k != "nodes"}, id="of an older program"),
        pytest.param(
            {**PROPS, "nodes": {"machine_type": "n2-standard-4", "platform": "linux/amd64"}},
            id="a larger machine of the same kind",
        ),
    ],
)
def test_other_nodes_of_the_same_processor_are_let(olds: dict[str, Any]) -> None:
    assert failures(olds, PROPS) == []


@pytest.mark.parametrize(
    ("old", "new", "following"),
    [
        ({"gke.zone": "null"}, {"gke.zone": "b"}, "pulumi config rm --path etcd:gke.zone"),
        ({"etcd.name": "a"}, {"etcd.name": "b"}, "pulumi config set --path etcd:etcd.name a"),
        ({"stack": "a"}, {"stack": "b"}, "pulumi stack rename a"),
    ],
)
def test_the_way_back_is_one_command(
    old: dict[str, str], new: dict[str, str], following: str
) -> None:
    text = refusal(old, new)
    assert text is not None
    assert text.splitlines()[-1].startswith(f"Next: {following} (or ")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({"a": "1"}, {"a": "1"}, id="nothing changes"),
        pytest.param({"a": "1"}, {"a": "1", "b": "2"}, id="a key that is new to the program"),
        pytest.param({"a": "null"}, {}, id="a key that was not set and is gone"),
        pytest.param({}, {"a": "1"}, id="no cluster yet"),
    ],
)
def test_what_is_no_change_is_not_refused(old: dict[str, str], new: dict[str, str]) -> None:
    assert refusal(old, new) is None


# ---------------------------------------------------------------- APIs


def services(**states: str) -> Reply:
    found = [
        {"name": f"projects/1234/services/{name}.googleapis.com", "state": state}
        for name, state in states.items()
    ]
    return Reply(body=json.dumps({"services": found}))


def create(monkeypatch: pytest.MonkeyPatch, answer: Reply) -> Server:
    with serving(answer) as server:
        monkeypatch.setattr(google_apis, "SERVICE_USAGE", server.url)
        RequirementsProvider().create(PROPS)
    return server


@pytest.mark.usefixtures("path")
def test_with_all_apis_enabled_it_passes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = create(monkeypatch, services(compute="ENABLED", container="ENABLED"))
    (asked,) = server.asked
    where, _, query = asked.partition("?")
    assert where == "GET /v1/projects/my-project/services:batchGet"
    names = urllib.parse.parse_qs(query)["names"]
    assert names == [f"projects/my-project/services/{name}" for name in PROPS["apis"]]
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(services(compute="ENABLED", container="DISABLED"), id="disabled"),
        pytest.param(services(compute="ENABLED"), id="not mentioned"),
    ],
)
def test_an_api_that_is_not_enabled_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, answer: Reply
) -> None:
    with pytest.raises(SequenceError) as refused:
        create(monkeypatch, answer)
    first, last = str(refused.value).split("\n")
    assert "my-project has these APIs not enabled: container.googleapis.com" in first
    assert last == "Next: gcloud services enable container.googleapis.com --project my-project"


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Reply(403, "{}"), id="no right to ask"),
        pytest.param(Reply(503, "busy"), id="out of order"),
        pytest.param(Reply(body="<html>"), id="a proxy's page"),
        pytest.param(Reply(body="[]"), id="another shape"),
        pytest.param(Reply(closes=True), id="no word"),
    ],
)
def test_where_nobody_tells_it_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Reply
) -> None:
    create(monkeypatch, answer)
    said = capsys.readouterr().out
    assert "APIs of project my-project were not checked: " in said
    assert "secret-token" not in said


@pytest.mark.parametrize(
    "script",
    [
        pytest.param('echo \'{"status": {"clientCertificateData": "x"}}\'', id="a certificate"),
        pytest.param("echo nothing", id="no JSON"),
        pytest.param("echo '[]'", id="another shape"),
        pytest.param("exit 1", id="not signed in"),
    ],
)
def test_without_a_token_google_is_not_asked(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
) -> None:
    program(path / "gke-gcloud-auth-plugin", script)
    server = create(monkeypatch, services())
    assert server.asked == []
    assert "gke-gcloud-auth-plugin gives no token" in capsys.readouterr().out


def test_the_plugin_is_asked_as_kubectl_would(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = path / "note"
    program(
        path / "gke-gcloud-auth-plugin", f'printf %s "$KUBERNETES_EXEC_INFO" > {note}; echo {{}}'
    )
    create(monkeypatch, services())
    assert json.loads(note.read_text())["kind"] == "ExecCredential"
