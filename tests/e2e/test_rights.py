"""The rights that the preflight asks for are all that the sequences use, on a real Kubernetes."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from components.preflight.checks import NEEDED
from tests.support.stack import Stack


def test_a_user_with_no_more_than_these_rights_brings_a_cluster_up_and_down(
    new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = new_stack(seeds={"count": 1}, service={"type": "LoadBalancer"})
    stack.run("kubectl", "create", "namespace", stack.namespace, check=True)
    guest = {"KUBECONFIG": str(_guest(stack, tmp_path))}
    with stack.running(stack.program, guest):
        assert "yes" not in stack.kubectl("auth", "can-i", "get", "configmaps", check=False)
        stack.up()
        stack.up("--expect-no-changes", "--refresh")
    assert sorted(stack.members()) == ["etcd-0", "etcd-1", "etcd-2"]
    _is_reached_from_outside(stack)
    status = stack.run(sys.executable, "-m", "components.status", "--stack", stack.name)
    assert status.code == 0, status
    with stack.running(stack.program, guest):
        stack.destroy()
    assert stack.pods() == {}
    assert stack.kubectl("get", "role", "guest", "-o", "name"), "a namespace of somebody else stays"


def _is_reached_from_outside(stack: Stack) -> None:
    """By the address that the load balancer has given, which is no cluster IP."""
    outputs = stack.outputs()
    (service,) = (o for o in stack.objects("services") if o["metadata"]["name"] == "etcd")
    (given,) = service["status"]["loadBalancer"]["ingress"]
    assert outputs["clientHost"] == given["ip"] != service["spec"]["clusterIP"]
    assert outputs["endpoint"] == f"http://{given['ip']}:2379"
    command = ("etcdctl", f"--endpoints={outputs['endpoint']}")
    assert stack.run(*command, "put", "greeting", "hello", check=True).output == "OK\n"
    found = stack.run(*shlex.split(outputs["connect"]), "get", "greeting", check=True)
    assert found.output == "greeting\nhello\n"
    assert outputs["version"] == "3.6.14"


def _guest(stack: Stack, folder: Path) -> Path:
    """A kubeconfig of somebody who may do in the namespace what is needed, and nothing else."""
    needed = [
        {"apiGroups": [group], "resources": [f"{kind}/{sub}" if sub else kind], "verbs": [verb]}
        for group, kind, sub, verb in NEEDED
    ]
    # One's own namespace may be looked at: `up` is told to use one that is there.
    own = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}
    role: dict[str, Any] = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "guest"},
        "rules": [*needed, own],
    }
    (folder / "role.json").write_text(json.dumps(role))
    stack.kubectl("create", "serviceaccount", "guest")
    stack.kubectl("apply", "-f", str(folder / "role.json"))
    account = f"--serviceaccount={stack.namespace}:guest"
    stack.kubectl("create", "rolebinding", "guest", "--role=guest", account)
    content = yaml.safe_load(Path(stack.env["KUBECONFIG"]).read_text())
    content["users"][0]["user"] = {"token": stack.kubectl("create", "token", "guest").strip()}
    kubeconfig = folder / "guest"
    kubeconfig.write_text(yaml.safe_dump(content))
    return kubeconfig
