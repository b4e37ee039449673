"""The preflight's questions to the Kubernetes cluster, and what to do about each answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from kubernetes import client
from kubernetes.client import ApiException
from kubernetes.utils.quantity import parse_quantity

from components.dynamic.kube import Kube, plain_errors
from components.dynamic.progress import SequenceError
from components.dynamic.site import Site
from components.dynamic.tokens import fetch_v2, require_v3

OLDEST = (1, 29)
"""Kubernetes minor from which scheduling gates and claim retention policies are to be relied on."""

NEEDED = (
    ("apps", "statefulsets", "", "create"),
    ("apps", "statefulsets", "", "get"),
    ("apps", "statefulsets", "", "patch"),
    ("apps", "statefulsets", "scale", "patch"),
    ("", "services", "", "create"),
    ("", "serviceaccounts", "", "create"),
    ("", "secrets", "", "create"),
    ("", "secrets", "", "get"),
    ("", "secrets", "", "update"),
    ("", "secrets", "", "delete"),
    ("", "pods", "", "list"),
    ("", "pods", "", "patch"),
    ("", "pods", "", "delete"),
    ("", "pods", "exec", "get"),
    # By websocket it is a creation too, from Kubernetes 1.35 on
    # (feature gate AuthorizePodWebsocketUpgradeCreatePermission).
    ("", "pods", "exec", "create"),
    ("", "events", "", "list"),
    ("", "persistentvolumeclaims", "", "list"),
    ("", "persistentvolumeclaims", "", "patch"),
    ("", "persistentvolumeclaims", "", "delete"),
    ("policy", "poddisruptionbudgets", "", "create"),
    ("networking.k8s.io", "networkpolicies", "", "create"),
    ("rbac.authorization.k8s.io", "roles", "", "create"),
    ("rbac.authorization.k8s.io", "rolebindings", "", "create"),
)
"""What a user must be allowed to do in the namespace: API group, resource, subresource, verb. Not
what Pulumi's plugin does beside with the objects that are declared."""


def check(site: Site, props: Mapping[str, Any]) -> None:
    """Raise SequenceError with every obstacle that can be seen from here."""
    with plain_errors(site):
        kube = Kube(props["kubeconfig"], site, patient=False)
        version = kube.version()
        problems = _version(version.major, version.minor)
        namespace = kube.namespace()
        # One that is being deleted will have to be made.
        exists = namespace is not None and namespace.metadata.deletion_timestamp is None
        missing = _rights(kube, exists=exists)
        problems += missing
        if not props["own_storage_class"]:
            problems += _storage(kube, str(props["storage_class"]), int(props["volumes"]))
        if exists and not missing:
            problems += _quota(kube, props)
            problems += _taken(kube)
    following = "pulumi up, once that is mended"
    try:
        _discovery(props)
    except SequenceError as error:
        following = following if problems else error.following
        problems.append(error.problem)
    if problems:
        raise SequenceError("\n".join(problems), following)


def _discovery(props: Mapping[str, Any]) -> None:
    """Raise SequenceError for a configured endpoint that is no discovery service."""
    mode, url = props["discovery_mode"], str(props["discovery_url"])
    if mode == "v2":
        fetch_v2(url, int(props["seeds"]))
    elif mode == "v3":
        require_v3(url)


def _seen(listed: Callable[..., Any], *where: str) -> list[Any] | None:
    """What a list call returns; None where this user may not list, which proves nothing."""
    try:
        return listed(*where).items
    except ApiException as error:
        if error.status != 403:
            raise
        return None


def _version(major: str, minor: str) -> list[str]:
    found = int(major), int("".join(c for c in minor if c.isdigit()))
    if found >= OLDEST:
        return []
    return [f"Kubernetes is {major}.{minor}; needed: {OLDEST[0]}.{OLDEST[1]} or newer"]


def _rights(kube: Kube, *, exists: bool) -> list[str]:
    """Everything that the user of this context is not allowed to do and must."""
    review = client.AuthorizationV1Api(kube.core.api_client)
    needed = [(*right, kube.site.namespace) for right in NEEDED]
    if not exists:
        needed.append(("", "namespaces", "", "create", ""))

    def lacks(right: tuple[str, ...]) -> str | None:
        group, resource, sub, verb, namespace = right
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
        return None if answer.status.allowed else f"{verb} {resource}{'/' + sub if sub else ''}"

    # Side by side: a cluster far away takes its time for each.
    with ThreadPoolExecutor() as pool:
        missing = [right for right in pool.map(lacks, needed) if right]
    if not missing:
        return []
    where = f"context {kube.site.context}, namespace {kube.site.namespace}"
    return [f"missing rights ({where}): {', '.join(missing)}"]


def _storage(kube: Kube, storage_class: str, volumes: int) -> list[str]:
    """The named class exists, or there is a default; only where volumes are to be made."""
    if not volumes:
        return []
    classes = _seen(client.StorageV1Api(kube.core.api_client).list_storage_class)
    if classes is None:
        return []
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
    """What the namespace's quotas leave, against what the stack will ask for beside what it has."""
    units = kube.pods(kube.site.units)
    wanted = _growth(props, units, len(kube.volumes(kube.site.units))) if units else _all(props)
    problems: list[str] = []
    for quota in _seen(kube.core.list_namespaced_resource_quota, kube.site.namespace) or []:
        for resource, hard in (quota.status.hard or {}).items():
            more = wanted.get(resource, Decimal(0))
            used = (quota.status.used or {}).get(resource, "0")
            if more > 0 and parse_quantity(hard) - parse_quantity(used) < more:
                problems.append(
                    f"quota {quota.metadata.name} of namespace {kube.site.namespace} allows "
                    f"{resource} {hard}, {used} in use; "
                    f"this stack needs {_told(resource, more)} more"
                )
    return problems


def _told(resource: str, amount: Decimal) -> str:
    if "memory" in resource or "storage" in resource:
        return f"{math.ceil(amount / 2**20)}Mi"
    return f"{amount.normalize():f}"


def _all(props: Mapping[str, Any]) -> dict[str, Decimal]:
    """A stack that has nothing yet, when it asks for most: at the handover. By quota's resource."""

    def asked(what: str) -> Decimal:
        return parse_quantity(str(props[what]))

    return _by_resource(
        asked("pods"), asked("cpu"), asked("memory"), asked("volumes"), asked("storage")
    )


def _growth(props: Mapping[str, Any], units: Iterable[Any], volumes: int) -> dict[str, Decimal]:
    """A cluster that runs: what its units shall have, less what these pods and volumes have."""
    requests = [pod.spec.containers[0].resources.requests or {} for pod in units]

    def more(what: str, has: Iterable[str | int]) -> Decimal:
        return parse_quantity(str(props[f"unit_{what}"])) - sum(map(parse_quantity, has))

    return _by_resource(
        more("pods", [len(requests)]),
        more("cpu", [r.get("cpu", 0) for r in requests]),
        more("memory", [r.get("memory", 0) for r in requests]),
        more("volumes", [volumes]),
        parse_quantity(str(props["storage"])),
    )


def _by_resource(
    pods: Decimal, cpu: Decimal, memory: Decimal, volumes: Decimal, volume: Decimal
) -> dict[str, Decimal]:
    """By the names that a ResourceQuota has (Kubernetes: policy/resource-quotas)."""
    return {
        "pods": pods,
        **dict.fromkeys(("requests.cpu", "cpu"), cpu),
        # A unit's limit is what it requests.
        **dict.fromkeys(("requests.memory", "memory", "limits.memory"), memory),
        "persistentvolumeclaims": volumes,
        "requests.storage": volume * volumes,
    }


def _taken(kube: Kube) -> list[str]:
    """Objects that have our names and are not ours: an apply could take them over unasked."""
    site, api = kube.site, kube.core.api_client
    rbac: Any = client.RbacAuthorizationV1Api(api)
    policy: Any = client.PolicyV1Api(api)
    networking: Any = client.NetworkingV1Api(api)
    lists = {
        "Service": kube.core.list_namespaced_service,
        "ServiceAccount": kube.core.list_namespaced_service_account,
        "StatefulSet": kube.apps.list_namespaced_stateful_set,
        "PodDisruptionBudget": policy.list_namespaced_pod_disruption_budget,
        "NetworkPolicy": networking.list_namespaced_network_policy,
        "Role": rbac.list_namespaced_role,
        "RoleBinding": rbac.list_namespaced_role_binding,
    }
    services = {site.service, site.peer_service, site.discovery}
    names = {
        "Service": services,
        "StatefulSet": {site.units, site.seeds, site.discovery},
        "NetworkPolicy": {site.units, site.discovery},
    }
    own = {"app.kubernetes.io/name": site.units, "app.kubernetes.io/instance": site.stack}
    return [
        f"{kind} {found.metadata.name} of namespace {site.namespace} exists and is not of this "
        f"stack (labels: {found.metadata.labels or 'none'}); set another etcd:etcd.name, "
        "etcd:service.name or etcd:kubernetes.namespace, or delete it"
        for kind, listed in lists.items()
        for found in _seen(listed, site.namespace) or []
        if found.metadata.name in names.get(kind, {site.units})
        and not own.items() <= (found.metadata.labels or {}).items()
    ]
