"""The preflight's questions to the Kubernetes cluster, and what to do about each answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, get_args

from kubernetes import client

from components.birth.tokens import fetch_v2, require_v3
from components.etcd.lock import holding
from components.kube import granting
from components.kube.client import Kube
from components.kube.errors import plain_errors, unless
from components.kube.pods import ending
from components.names import ARCH_LABEL
from components.preflight import node_disk, pull_secrets
from components.preflight.kept import misfits
from components.preflight.quotas import There, out_of_limits, over_quota
from components.progress import SequenceError
from components.settings.model import Platform
from components.site import Site

OLDEST = (1, 29)
"""Kubernetes minor from which scheduling gates and claim retention policies are to be relied on."""

ASKED_AT_ONCE = 8
"""Questions about rights: no more connections than the client keeps, and no burst of new ones."""

DECLARED = (
    ("", "services"),
    ("", "serviceaccounts"),
    ("apps", "statefulsets"),
    ("policy", "poddisruptionbudgets"),
    ("networking.k8s.io", "networkpolicies"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
)
"""API group and resource of what the program declares."""

NEEDED = (
    # What Pulumi's plugin does. Where it may not list or watch, a deletion waits without a word
    # (https://github.com/pulumi/pulumi-kubernetes/issues/4580).
    *(
        (group, resource, "", verb)
        for group, resource in DECLARED
        for verb in ("get", "list", "watch", "create", "patch", "delete")
    ),
    ("apps", "statefulsets", "scale", "patch"),
    ("", "secrets", "", "create"),
    ("", "secrets", "", "get"),
    ("", "secrets", "", "update"),
    ("", "secrets", "", "delete"),
    ("", "pods", "", "list"),
    ("", "pods", "", "patch"),
    ("", "pods", "", "delete"),
    ("", "pods", "eviction", "create"),
    ("", "pods", "exec", "get"),
    # By websocket it is a creation too, from Kubernetes 1.35 on
    # (feature gate AuthorizePodWebsocketUpgradeCreatePermission).
    ("", "pods", "exec", "create"),
    ("", "events", "", "list"),
    ("", "persistentvolumeclaims", "", "list"),
    ("", "persistentvolumeclaims", "", "patch"),
    ("", "persistentvolumeclaims", "", "delete"),
)
"""What a user must be allowed to do in the namespace: API group, resource, subresource, verb."""


def check(site: Site, props: Mapping[str, Any], *, first: bool) -> None:
    """Raise SequenceError with every obstacle that can be seen from here.

    `first`: nothing of this stack can be there yet.
    """
    kept = False
    with plain_errors(site):
        kube = Kube(props["kubeconfig"], site, patient=False)
        version = kube.version()
        problems = _version(version.major, version.minor)
        namespace = kube.namespace()
        # One that is being deleted will have to be made.
        exists = namespace is not None and not ending(namespace)
        missing = _rights(kube, exists=exists)
        problems += missing
        problems += _processors(kube, str(props["arch"]))
        if not missing:
            problems += _pull_secrets(kube, props["pull_secrets"], exists=exists)
        if not props["own_storage_class"]:
            problems += _storage(kube, str(props["storage_class"]), int(props["volumes"]))
        if exists and not missing:
            claims = kube.volumes(site.units)
            problems += _room(kube, props, claims)
            problems += _taken(kube)
            problems += filter(None, [granting.obstacle(kube)])
            if first:
                problems += _forgotten(kube)
                problems += misfits(site, claims, props)
                kept = bool(holding(claims))
    next_step = "pulumi up, once that is mended"
    try:
        # Later nobody asks it any more, nor for a cluster that was kept, and it may be gone.
        if first and not kept:
            _discovery(props)
    except SequenceError as error:
        next_step = next_step if problems else error.next_step
        problems.append(error.problem)
    if problems:
        raise SequenceError("\n".join(problems), next_step)


def _discovery(props: Mapping[str, Any]) -> None:
    """Raise SequenceError for a configured endpoint that is no discovery service."""
    mode, url = props["discovery_mode"], str(props["discovery_url"])
    if mode == "v2":
        fetch_v2(url, int(props["seeds"]))
    elif mode == "v3":
        require_v3(url)


def _seen(listed: Callable[..., Any], *where: str) -> list[Any] | None:
    """What a list call returns; None where this user may not list."""
    return unless(HTTPStatus.FORBIDDEN, lambda: listed(*where).items)


def _version(major: str, minor: str) -> list[str]:
    found = int(major), int("".join(c for c in minor if c.isdigit()))
    if found >= OLDEST:
        return []
    return [f"Kubernetes is {major}.{minor}; needed: {OLDEST[0]}.{OLDEST[1]} or newer"]


def _rights(kube: Kube, *, exists: bool) -> list[str]:
    """Everything that the user of this context is not allowed to do and must."""
    review = client.AuthorizationV1Api(kube.core.api_client)
    needed = [] if exists else [("", "namespaces", "", "create", "")]

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

    # Who administers the cluster may do all: one question, that of `kubectl auth can-i '*' '*'`.
    if lacks(("*", "*", "", "*", kube.site.namespace)):
        needed += [(*right, kube.site.namespace) for right in NEEDED]
    # Side by side: a cluster far away takes its time for each.
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        missing = [right for right in pool.map(lacks, needed) if right]
    if not missing:
        return []
    where = f"context {kube.site.context}, namespace {kube.site.namespace}"
    return [f"missing rights ({where}): {', '.join(missing)}"]


def _processors(kube: Kube, arch: str) -> list[str]:
    """There is a node of the kind that pods select.

    None at all is no obstacle: an autoscaler may bring the first one.
    """
    if not arch:
        return []
    linux = "kubernetes.io/os=linux"
    fit = f"{linux},{ARCH_LABEL}={arch}"
    # Of a cluster with many nodes one will do.
    if _seen(lambda: kube.core.list_node(label_selector=fit, limit=1)) != []:
        return []
    nodes = _seen(lambda: kube.core.list_node(label_selector=linux)) or []
    there = sorted({n.metadata.labels.get(ARCH_LABEL, "none") for n in nodes})
    problem = (
        f"etcd:image.platform is linux/{arch}, so pods select nodes with {ARCH_LABEL}={arch}; the "
        f"nodes of this Kubernetes have: {', '.join(there)}"
    )
    for platform in get_args(Platform):
        if platform.removeprefix("linux/") in there:
            problem += f". Set it: pulumi config set --path etcd:image.platform {platform}"
    return [problem] if there else []


def _pull_secrets(kube: Kube, names: list[str], *, exists: bool) -> list[str]:
    if not exists:
        return pull_secrets.homeless(kube.site, names)
    return pull_secrets.unfit(kube.site, {name: kube.secret_if_there(name) for name in names})


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


def _room(kube: Kube, props: Mapping[str, Any], claims: Sequence[Any]) -> list[str]:
    """What the namespace's quotas and limits leave, against what the stack will ask for.

    `claims`: the units' volumes.
    """
    namespace = kube.site.namespace
    quotas = _seen(kube.core.list_namespaced_resource_quota, namespace) or []
    limits = _seen(kube.core.list_namespaced_limit_range, namespace) or []
    if not quotas and not limits:
        return []
    there = There(kube.pods(kube.site.units), len(claims), kept=bool(holding(claims)))
    return [
        *over_quota(namespace, quotas, limits, props, there),
        *out_of_limits(limits, props, there),
        *node_disk.too_small(limits, props, birth=there.birth),
    ]


def _forgotten(kube: Kube) -> list[str]:
    """Workloads of this stack of which its state knows nothing: going on would end their pods."""
    site = kube.site
    found = _seen(kube.apps.list_namespaced_stateful_set, site.namespace) or []
    names = sorted(w.metadata.name for w in found if site.owns(w))
    if not names:
        return []
    return [
        f"StatefulSet {', '.join(names)} of namespace {site.namespace}: there already, labelled as "
        f"of stack {site.stack}, but not in its state. Either that state is lost, or it "
        "is kept in another backend. Use the one that has it (pulumi login, pulumi stack import), "
        "or go on without it as docs/runbook.md says: the state is lost"
    ]


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
    return [
        f"{kind} {found.metadata.name} of namespace {site.namespace} exists and is not of this "
        f"stack (labels: {found.metadata.labels or 'none'}); set another etcd:etcd.name, "
        "etcd:service.name or etcd:kubernetes.namespace, or delete it"
        for kind, listed in lists.items()
        for found in _seen(listed, site.namespace) or []
        if found.metadata.name in names.get(kind, {site.units}) and not site.owns(found)
    ] + _taken_secret(kube)


def _taken_secret(kube: Kube) -> list[str]:
    """It is asked for by its name: nobody need be allowed to list Secrets."""
    try:
        kube.read_secret(kube.site.discovery)
    except SequenceError as error:
        return [error.problem]
    return []
