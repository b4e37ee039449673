"""Somebody who has in a namespace the rights that the preflight asks for, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from components.preflight.checks import NEEDED
from tests.support.stack import Stack


def guest_of(stack: Stack, folder: Path) -> dict[str, str]:
    """What such a person has in the environment. `stack`: of the namespace, which is there."""
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
    return {"KUBECONFIG": str(kubeconfig)}
