"""The preflight's questions to the Kubernetes cluster, and what to do about each answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubernetes import client
from kubernetes.client import ApiException
from kubernetes.utils.quantity import parse_quantity

from components.dynamic.kube import Kube, plain_errors
from components.dynamic.progress import SequenceError
from components.dynamic.site import Site
from components.dynamic.tokens import fetch_v2

OLDEST = (1, 29)
"""Kubernetes minor from which scheduling gates and claim retention policies are to be relied on."""

_NEEDED = (
    ("apps", "statefulsets", "", "create"),
    ("apps", "statefulsets", "scale", "patch"),
    ("", "services", "", "create"),
    ("", "serviceaccounts", "", "create"),
    ("", "secrets", "", "create"),
    ("", "pods", "", "patch"),
    ("", "pods", "exec", "get"),
    ("", "persistentvolumeclaims", "", "patch"),
    ("policy", "poddisruptionbudgets", "", "create"),
    ("rbac.authorization.k8s.io", "roles", "", "create"),
    ("rbac.authorization.k8s.io", "rolebindings", "", "create"),
)


def check(site: Site, props: Mapping[str, Any]) -> None:
    """Raise SequenceError with every obstacle that can be seen from here."""
    with plain_errors(site):
        kube = Kube(props["kubeconfig"], site)
        version = client.VersionApi(kube.core.api_client).get_code(_request_timeout=10)
        problems = _version(version.major, version.minor)
        labels = kube.namespace_labels()
        problems += _rights(kube, exists=labels is not None)
        problems += _storage(kube, str(props["storage_class"]), int(props["volumes"]))
        if labels is not None:
            problems += _quota(kube, props)
    if props["discovery_mode"] == "v2":
        try:
            fetch_v2(str(props["discovery_url"]), int(props["seeds"]))
        except SequenceError as error:
            problems.append(str(error))
    if problems:
        raise SequenceError("\n".join(problems), "pulumi up, once that is mended")


def _version(major: str, minor: str) -> list[str]:
    found = int(major), int("".join(c for c in minor if c.isdigit()))
    if found >= OLDEST:
        return []
    return [f"Kubernetes is {major}.{minor}; needed: {OLDEST[0]}.{OLDEST[1]} or newer"]


def _rights(kube: Kube, *, exists: bool) -> list[str]:
    """Everything that the user of this context is not allowed to do and must."""
    review = client.AuthorizationV1Api(kube.core.api_client)
    needed = [(*right, kube.site.namespace) for right in _NEEDED]
    if not exists:
        needed.append(("", "namespaces", "", "create", ""))
    missing: list[str] = []
    for group, resource, sub, verb, namespace in needed:
        attributes = {
            "group": group,
            "resource": resource,
            "subresource": sub,
            "verb": verb,
            "namespace": namespace,
        }
        answer: Any = review.create_self_subject_access_review(
            {"spec": {"resourceAttributes": attributes}}  # pyright: ignore[reportArgumentType]
        )
        if not answer.status.allowed:
            missing.append(f"{verb} {resource}{'/' + sub if sub else ''}")
    if not missing:
        return []
    where = f"context {kube.site.context}, namespace {kube.site.namespace}"
    return [f"missing rights ({where}): {', '.join(missing)}"]


def _storage(kube: Kube, storage_class: str, volumes: int) -> list[str]:
    """The named class exists, or there is a default; only where volumes are to be made."""
    if not volumes:
        return []
    try:
        classes: Any = client.StorageV1Api(kube.core.api_client).list_storage_class().items
    except ApiException as error:
        if error.status == 403:
            return []  # Storage classes are cluster-wide: not seeing them is no proof
        raise
    names = sorted(c.metadata.name for c in classes)
    shown = ", ".join(names) or "none"
    if storage_class:
        if storage_class in names:
            return []
        return [
            f"etcd:storage.className is {storage_class!r}; this Kubernetes has: {shown}. "
            "Set one of them: pulumi config set --path etcd:storage.className NAME"
        ]
    default = "storageclass.kubernetes.io/is-default-class"
    if any((c.metadata.annotations or {}).get(default) == "true" for c in classes):
        return []
    return [
        f"etcd:storage.className is not set and this Kubernetes has no default class "
        f"(classes: {shown}). Set one: pulumi config set --path etcd:storage.className NAME"
    ]


def _quota(kube: Kube, props: Mapping[str, Any]) -> list[str]:
    """What the namespace's quotas leave, against what the stack will ask for at its largest."""
    volumes = int(props["volumes"])
    wanted = {
        "pods": int(props["pods"]),
        "requests.cpu": parse_quantity(str(props["cpu"])),
        "requests.memory": parse_quantity(str(props["memory"])),
        "cpu": parse_quantity(str(props["cpu"])),
        "memory": parse_quantity(str(props["memory"])),
        "persistentvolumeclaims": volumes,
        "requests.storage": parse_quantity(str(props["storage"])) * volumes,
    }
    if kube.pods(kube.site.units):
        return []  # An existing cluster: what it needs is in use already
    problems: list[str] = []
    for quota in kube.core.list_namespaced_resource_quota(kube.site.namespace).items:
        for resource, hard in (quota.status.hard or {}).items():
            used = (quota.status.used or {}).get(resource, "0")
            if resource not in wanted:
                continue
            if parse_quantity(hard) - parse_quantity(used) < wanted[resource]:
                problems.append(
                    f"quota {quota.metadata.name} of namespace {kube.site.namespace} allows "
                    f"{resource} {hard}, {used} in use; this stack needs {wanted[resource]} more"
                )
    return problems
