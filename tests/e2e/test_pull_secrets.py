"""An image behind a password: Docker pushes it, and the nodes pull it by a Secret."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from lab.state import Lab
from tests.support.locked_registry import PASSWORD, USER, LockedRegistry, locked_registry
from tests.support.refusal import the_one_error
from tests.support.stack import Stack, until

ONE = {"count": 1}
NAME = "registry-login"


def test_nodes_pull_by_a_secret_and_once_its_password_is_corrected_an_up_is_enough(
    lab: Lab, new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with locked_registry(lab, tmp_path / "registry") as registry:
        # Else the unit would find on this one node what the seed has pulled.
        image = {"registry": registry.address, "pullSecrets": [NAME], "pullPolicy": "Always"}
        stack = new_stack(seeds=ONE, units=ONE, image=image)
        folder = tmp_path / "docker"
        folder.mkdir()
        (folder / "config.json").write_text(registry.login())
        stack.env["DOCKER_CONFIG"] = str(folder)

        text = the_one_error(stack.pulumi("up", "--yes", "--skip-preview"))
        assert f"kubectl --context etcd-lab create namespace {stack.namespace}" in text
        stack.run("kubectl", "create", "namespace", stack.namespace, check=True)
        text = the_one_error(stack.pulumi("up", "--yes", "--skip-preview"))
        assert f"Secret {NAME} of namespace {stack.namespace}" in text
        assert f"create secret docker-registry {NAME} --docker-server=HOST" in text
        assert not stack.objects("statefulsets,services,poddisruptionbudgets")

        _log_in(stack, registry, "another-password")
        text = the_one_error(stack.pulumi("up", "--yes", "--skip-preview"))
        assert "timed out after" not in text
        assert re.search(r"pod etcd-(seed-\d|discovery-0): (ErrImagePull|ImagePullBackOff)", text)
        assert "image.pullSecrets" in text

        # After the third the kubelet pauses for 40 s, and for longer each time.
        until("a third pull for the unit has failed", lambda: _failed_pulls(stack, "etcd-0") > 2)
        _log_in(stack, registry, PASSWORD)
        stack.up()
        assert sorted(stack.members()) == ["etcd-0"]
        assert stack.pods()["etcd-0"]["spec"]["imagePullSecrets"] == [{"name": NAME}]


def _failed_pulls(stack: Stack, pod: str) -> int:
    about = f"--field-selector=involvedObject.name={pod},reason=Failed"
    said = [e for e in stack.objects("events", about) if "Failed to pull image" in e["message"]]
    return sum(event["count"] for event in said)


def _log_in(stack: Stack, registry: LockedRegistry, password: str) -> None:
    """Put the Secret there, in the place of another."""
    stack.kubectl("delete", "secret", NAME, "--ignore-not-found")
    account = (f"--docker-username={USER}", f"--docker-password={password}")
    server = f"--docker-server={registry.address}"
    stack.kubectl("create", "secret", "docker-registry", NAME, server, *account)
