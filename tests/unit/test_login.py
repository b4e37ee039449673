"""A login by the command that a kubeconfig names: what is said where it fails, and who is asked."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.change import preview
from components.kube import login
from components.kube.client import Kube
from components.kube.errors import UnreachableError, plain_errors
from components.progress import SequenceError
from components.site import Site
from tests.support.dynamic import SITE
from tests.support.kubernetes_api import EXEC_API, Kubernetes, by_command
from tests.support.ports import free_port


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """One that fails, unless a test writes another."""
    file = tmp_path / "kubelogin"
    written(file, "echo 'the session has expired,\nlog in again' >&2; exit 1")
    return file


def written(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def pods(text: str) -> list[object]:
    site = Site(**SITE)
    with plain_errors(site):
        return Kube(text, site, patient=False).pods("etcd")


ANONYMOUS = 'pods is forbidden: User "system:anonymous" cannot list resource "pods"'


@pytest.fixture
def api() -> Iterator[Kubernetes]:
    """Where anonymous access is on, as it is by default: it has no rights."""
    with Kubernetes.running(always=Kubernetes.status(403, ANONYMOUS)) as found:
        yield found


def test_a_login_that_fails_is_told_as_such_and_not_as_a_missing_right(
    api: Kubernetes, command: Path
) -> None:
    with pytest.raises(SequenceError) as failure:
        pods(by_command(api.url, str(command)))
    assert "no login to Kubernetes" in failure.value.problem
    assert "context here" in failure.value.problem
    assert str(command) in failure.value.problem
    assert "the session has expired, log in again" in failure.value.problem
    assert failure.value.next_step.startswith(f"log in as ever, or install {command}")
    assert "grant" not in failure.value.next_step
    assert api.asked == ["GET /version"], "nothing is asked as nobody"


def test_a_login_that_is_not_installed_is_named(api: Kubernetes) -> None:
    with pytest.raises(SequenceError, match="No such file or directory: 'gke-plugin-not-there'"):
        pods(by_command(api.url, "gke-plugin-not-there"))


def test_a_login_that_succeeds_is_what_kubernetes_is_asked_with(command: Path) -> None:
    given = {"apiVersion": EXEC_API, "kind": "ExecCredential", "status": {"token": "t"}}
    written(command, f"echo '{json.dumps(given)}'")
    with Kubernetes.running() as api:
        assert pods(by_command(api.url, str(command))) == []


def test_a_cluster_that_is_gone_is_that_also_to_one_who_cannot_log_in(command: Path) -> None:
    """So that a destroy can give it up (PULUMI_K8S_DELETE_UNREACHABLE)."""
    with pytest.raises(UnreachableError, match="does not answer"):
        pods(by_command(f"http://127.0.0.1:{free_port()}", str(command)))


def test_a_preview_goes_on_and_says_why_it_has_no_steps(
    api: Kubernetes, command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    props = {
        "site": SITE,
        "kubeconfig": by_command(api.url, str(command)),
        "units": 5,
        "min_tolerance": 1,
        "cluster_id": "c1",
        "birth": "the-mark",
    }
    preview.preview_scale(props)
    said = capsys.readouterr().out
    assert "no steps to show, no login to Kubernetes" in said
    assert "the session has expired" in said


def test_a_login_that_waits_for_an_answer_ends(api: Kubernetes, command: Path) -> None:
    """In a plugin of Pulumi stdin is a pipe that nobody writes to and nobody closes."""
    written(command, "timeout 60 head -n 1 >/dev/null; echo 'no code given' >&2; exit 1")
    ours, theirs = os.pipe()
    before = os.dup(0)
    os.dup2(ours, 0)
    begun = time.monotonic()
    try:
        with pytest.raises(SequenceError, match="no code given"):
            pods(by_command(api.url, str(command)))
    finally:
        os.dup2(before, 0)
        for end in (ours, theirs, before):
            os.close(end)
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    ("user", "api_key", "certificate"),
    [
        pytest.param({"exec": {}}, {}, "a file", id="it gave a certificate"),
        pytest.param({"exec": {}}, {"authorization": "t"}, None, id="it gave a token"),
        pytest.param({}, {}, None, id="nobody logs in by a command"),
    ],
)
def test_who_has_something_to_show_has_not_failed(
    user: dict[str, Any], api_key: dict[str, str], certificate: str | None
) -> None:
    configuration = SimpleNamespace(api_key=api_key, cert_file=certificate)
    assert login.failed("here", user, configuration, ["of something else"]) is None
