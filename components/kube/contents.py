"""What others have in a namespace, asked before it is deleted with all that is in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

from components.kube.claims import is_ours
from components.kube.client import Kube
from components.kube.errors import unless
from components.site import Site

CLAIM, CONFIG, SECRET = "PersistentVolumeClaim", "ConfigMap", "Secret"

LISTS = {
    "StatefulSet": "/apis/apps/v1/namespaces/{namespace}/statefulsets",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    CLAIM: "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "DaemonSet": "/apis/apps/v1/namespaces/{namespace}/daemonsets",
    "CronJob": "/apis/batch/v1/namespaces/{namespace}/cronjobs",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    "Service": "/api/v1/namespaces/{namespace}/services",
    CONFIG: "/api/v1/namespaces/{namespace}/configmaps",
    SECRET: "/api/v1/namespaces/{namespace}/secrets",
}
"""Where each kind is listed that people put into a namespace."""

METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io, application/json"
"""Nobody need see what is in somebody else's Secret (Kubernetes: API concepts, metadata-only)."""

CERTIFICATES = "kube-root-ca.crt"
"""A ConfigMap that Kubernetes itself puts into every namespace."""

TOKEN_OF = "kubernetes.io/service-account.name"
"""Annotation of the Secrets that are tokens of an account, and end with it."""

MOST_NAMED = 3


def reason_to_stay(kube: Kube) -> str | None:
    """Why the namespace is not to be deleted: what is of others, or may be; None if nothing is."""

    def listed(kind: str) -> list[Any] | None:
        return _listed(kube, LISTS[kind])

    # Side by side: a cluster far away takes its time for each.
    with ThreadPoolExecutor() as pool:
        contents = dict(zip(LISTS, pool.map(listed, LISTS), strict=True))
    others = of_others(kube.site, {k: found for k, found in contents.items() if found is not None})
    if others:
        return f"for what others have in it: {_few(others)}"
    unknown = [kind for kind, found in contents.items() if found is None]
    if unknown:
        kinds = ", ".join(f"{kind}s" for kind in unknown)
        return f"since others may have something in it: this user may not list {kinds}"
    return None


def _listed(kube: Kube, path: str) -> list[Any] | None:
    """The objects of one kind, of which only their metadata; None where this user may not list."""
    answer = unless(
        HTTPStatus.FORBIDDEN,
        lambda: kube.core.api_client.call_api(
            path,
            "GET",
            path_params={"namespace": kube.site.namespace},
            header_params={"Accept": METADATA},
            response_type="object",
            auth_settings=["BearerToken"],
        ),
    )
    if answer is None:
        return None
    return [_object(found["metadata"]) for found in answer[0].get("items") or []]


def _object(metadata: Mapping[str, Any]) -> Any:
    """As the official client has it."""
    return SimpleNamespace(
        metadata=SimpleNamespace(
            name=metadata["name"],
            labels=metadata.get("labels"),
            annotations=metadata.get("annotations"),
        )
    )


def of_others(site: Site, contents: Mapping[str, Iterable[Any]]) -> list[str]:
    """What of a namespace's contents (objects by kind) is not of this stack. Pure.

    What is just ending is somebody's still.
    """
    return [
        f"{kind} {found.metadata.name}"
        for kind, objects in contents.items()
        for found in objects
        if not (site.owns(found) or _is_our_claim(site, kind, found) or _is_nobodys(kind, found))
    ]


def _is_our_claim(site: Site, kind: str, found: Any) -> bool:
    return kind == CLAIM and is_ours(site, found)


def _is_nobodys(kind: str, found: Any) -> bool:
    """Whether Kubernetes itself puts it into every namespace."""
    if kind == CONFIG:
        return found.metadata.name == CERTIFICATES
    return kind == SECRET and TOKEN_OF in (found.metadata.annotations or {})


def _few(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
