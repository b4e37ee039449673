"""The Kubernetes cluster to deploy into: made here, or an existing one by its context."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml

from components.dynamic.protection import Protection
from components.settings import KubernetesSettings, Settings

_PARTS = {"contexts": "context", "clusters": "cluster", "users": "user"}
"""Lists of a kubeconfig, and what each entry of them holds beside its name."""

_CERTIFICATES = {"certificate-authority", "client-certificate", "client-key"}
_PATHS = {*_CERTIFICATES, "tokenFile"}


@dataclass(frozen=True)
class Cluster:
    """How the program reaches Kubernetes."""

    provider: k8s.Provider
    context: str
    """Its name in the kubeconfig."""
    kubeconfig: pulumi.Output[str]
    """Secret. JSON, which is YAML, with the one context that is used. Of a cluster that is made
    here, unknown in the preview before it is there."""
    registry: pulumi.Input[str]
    """Host, with port and path, that the image is pushed to and pulled from."""
    needs: tuple[pulumi.Resource, ...] = ()
    """What must be there before a pod can run, and must outlive it."""
    outputs: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """Outputs of the stack about the cluster itself."""


def obtain(settings: Settings) -> Cluster:
    """Make the cluster, or reach the one that is there. Raises pulumi.RunError."""
    if settings.gke.create:
        from components.own_cluster import make  # noqa: PLC0415 - all others pay nothing for it

        return make(settings)
    return connect(settings.kubernetes, settings.image.registry or "")


def seal(settings: Settings, last: pulumi.Resource) -> None:
    """Declare what refuses a destroy of a cluster that is made here and protected. It comes after
    everything else, so after `last`."""
    gke = settings.gke
    if gke.create:
        Protection(
            "protection",
            {"cluster": gke.path, "protected": gke.deletion_protection},
            pulumi.ResourceOptions(depends_on=[last]),
        )


def connect(settings: KubernetesSettings, registry: str) -> Cluster:
    """Declare the provider. Raises pulumi.RunError when the context leads nowhere."""
    kubeconfig = read_kubeconfig(settings)
    server = kubeconfig["clusters"][0]["cluster"]["server"]
    text = pulumi.Output.secret(json.dumps(kubeconfig, sort_keys=True))
    provider = k8s.Provider(
        "kubernetes",
        kubeconfig=text,
        context=settings.context,
        namespace=settings.namespace,
        # Credentials rotate, and an address may change (a proxy, another name): another identifier
        # would replace every object, and which cluster a stack is in cannot be changed anyway.
        cluster_identifier=server,
        # A preview goes on without the cluster, and says so.
        skip_update_unreachable=True,
        opts=pulumi.ResourceOptions(ignore_changes=["clusterIdentifier"]),
    )
    return Cluster(
        provider=provider, context=settings.context or "", kubeconfig=text, registry=registry
    )


def read_kubeconfig(settings: KubernetesSettings) -> dict[str, Any]:
    """Return the chosen context alone, with the contents of the files that it names.

    Looks in `kubernetes.kubeconfig`, else in $KUBECONFIG (several files, as kubectl), else in
    kubectl's default place. Raises pulumi.RunError that names the contexts there are, or what the
    chosen one lacks.
    """
    given = settings.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    paths = [Path(part).expanduser() for part in given.split(os.pathsep) if part]
    entries: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in _PARTS}
    for path in paths:
        content = _load(path) if path.is_file() else {}
        for kind, part in _PARTS.items():
            for name, value in _named(content.get(kind), part).items():
                # As kubectl: of two entries with one name the first counts.
                entries[kind].setdefault(name, _absolute(value, path.parent))
    if not any(path.is_file() for path in paths):
        raise pulumi.RunError(
            f"there is no kubeconfig at {', '.join(map(str, paths)) or 'an empty path'}.\n"
            "Next: pulumi config set --path etcd:kubernetes.kubeconfig PATH "
            "(for the embedded Kubernetes: make up)"
        )
    name, places = settings.context or "", ", ".join(map(str, paths))
    context = entries["contexts"].get(name)
    if context is None:
        raise pulumi.RunError(
            f"etcd:kubernetes.context is {name!r}, which is not in {places}; "
            f"contexts there: {', '.join(entries['contexts']) or 'none'}.\n"
            "Next: pulumi config set --path etcd:kubernetes.context NAME "
            "(for the embedded Kubernetes: make up)"
        )
    cluster, user = (str(context.get(part) or "") for part in ("cluster", "user"))
    problem = None
    if not entries["clusters"].get(cluster, {}).get("server"):
        problem = f"the cluster {cluster!r}, which has no server"
    elif user and user not in entries["users"]:
        problem = f"the user {user!r}, who is not"
    if problem:
        raise pulumi.RunError(
            f"context {name!r} (etcd:kubernetes.context) names {problem} in {places}.\n"
            "Next: kubectl config view, to see what the kubeconfig has"
        )
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": context}],
        "clusters": [{"name": cluster, "cluster": _embedded(entries["clusters"][cluster])}],
        "users": [{"name": user, "user": _embedded(entries["users"][user])}] if user else [],
    }


def _embedded(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with its files' contents in it, as by `kubectl config view --flatten`.

    What is in the state serves a destroy and a status on any machine. Not the token's file: tokens
    in files are renewed there. Raises pulumi.RunError for a file that cannot be read.
    """
    found = dict(entry)
    for key in _CERTIFICATES & entry.keys():
        path = Path(found.pop(key))
        if f"{key}-data" in found:
            continue  # as kubectl: what stands in the kubeconfig itself goes first
        try:
            found[f"{key}-data"] = base64.b64encode(path.read_bytes()).decode()
        except OSError as error:
            raise pulumi.RunError(
                f"the kubeconfig names {path} as {key}, which cannot be read: {error.strerror}\n"
                "Next: kubectl config view, to see what the kubeconfig has"
            ) from None
    return found


def _load(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise pulumi.RunError(
            f"the kubeconfig {path} cannot be read: {error}\n"
            "Next: pulumi config set --path etcd:kubernetes.kubeconfig PATH"
        ) from None
    return content if isinstance(content, dict) else {}


def _named(entries: Any, part: str) -> dict[str, dict[str, Any]]:
    """A kubeconfig's list as a mapping, without what is no entry."""
    listed: list[Any] = entries if isinstance(entries, list) else []
    return {
        str(e["name"]): e[part]
        for e in listed
        if isinstance(e, dict) and "name" in e and isinstance(e.get(part), dict)
    }


def _absolute(value: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Paths in a kubeconfig are relative to its own folder; so is the command of a login, unless it
    is looked for on PATH (client-go: clientcmd/loader.go, GetAuthInfoFileReferences)."""

    def resolved(path: str) -> str:
        return str((folder / path).absolute())

    found = {k: resolved(v) if k in _PATHS else v for k, v in value.items()}
    login = found.get("exec")
    if isinstance(login, dict) and os.sep in str(login.get("command")):
        found["exec"] = {**login, "command": resolved(login["command"])}
    return found
