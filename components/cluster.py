"""The Kubernetes cluster to deploy into: an existing one, chosen by kubeconfig and context."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml

from components.settings import KubernetesSettings

_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True)
class Cluster:
    """How the program reaches Kubernetes."""

    provider: k8s.Provider
    kubeconfig: pulumi.Output[str]
    """Secret. JSON, which is YAML, with the one context that is used."""


def connect(settings: KubernetesSettings) -> Cluster:
    """Declare the provider. Raises pulumi.RunError when the context is not to be found."""
    kubeconfig = read_kubeconfig(settings)
    server = kubeconfig["clusters"][0]["cluster"].get("server", "")
    text = pulumi.Output.secret(json.dumps(kubeconfig, sort_keys=True))
    provider = k8s.Provider(
        "kubernetes",
        kubeconfig=text,
        context=settings.context,
        namespace=settings.namespace,
        # Credentials rotate; only another API server makes it another cluster.
        cluster_identifier=server,
    )
    return Cluster(provider=provider, kubeconfig=text)


def read_kubeconfig(settings: KubernetesSettings) -> dict[str, Any]:
    """Return the chosen context alone, with absolute paths.

    Looks in `kubernetes.kubeconfig`, else in $KUBECONFIG (several files, as kubectl), else in
    kubectl's default place. Raises pulumi.RunError that names the contexts there are.
    """
    given = settings.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    paths = [Path(part).expanduser() for part in given.split(os.pathsep) if part]
    known: list[str] = []
    for path in paths:
        if not path.is_file():
            continue
        content = _load(path)
        known += [c["name"] for c in content.get("contexts") or []]
        if settings.context in known:
            return _only(content, settings.context, path.parent)
    places = ", ".join(str(p) for p in paths)
    raise pulumi.RunError(
        f"etcd:kubernetes.context is {settings.context!r}, which is not in {places}; "
        f"contexts there: {', '.join(known) or 'none'}.\n"
        "Next: pulumi config set --path etcd:kubernetes.context NAME "
        "(for the embedded Kubernetes: make up)"
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise pulumi.RunError(
            f"the kubeconfig {path} cannot be read: {error}\n"
            "Next: pulumi config set --path etcd:kubernetes.kubeconfig PATH"
        ) from None
    return content if isinstance(content, dict) else {}


def _only(content: dict[str, Any], name: str, folder: Path) -> dict[str, Any]:
    context = next(c for c in content["contexts"] if c["name"] == name)
    wanted = {"clusters": context["context"]["cluster"], "users": context["context"]["user"]}
    result: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [context],
    }
    for kind, entry in wanted.items():
        found = [e for e in content.get(kind) or [] if e["name"] == entry]
        for part in (p for e in found for p in e.values() if isinstance(p, dict)):
            for key in _PATHS:
                if key in part:
                    part[key] = str((folder / part[key]).absolute())
        result[kind] = found
    return result
