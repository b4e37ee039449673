"""The StatefulSet that all three roles share, and what differs between them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pulumi

from components.kubernetes_object import KubernetesObject
from components.names import (
    CONTAINER,
    GATE,
    MEMBER_LABEL,
    SERVING_LABEL,
    TEMPLATE_ANNOTATION,
    Names,
)
from components.settings import Settings
from components.settings.model import ZONES
from components.settings.quantity import canonical
from components.sizing import heap_bytes, quota_bytes, snapshot_count

USER = 65532
"""The image's own user, `nonroot`."""

DIRECTORY = "/var/lib/etcd"

DISCOVERY_DIRECTORY = "/run/etcd-discovery"
"""Where a seed finds protocol, token and endpoint of its discovery service: files of a Secret, not
variables (CIS GKE 4.4.1)."""

SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""The sequences wait, and show what for; Pulumi's own waits would wait for each other."""


@dataclass(frozen=True)
class Workload:
    """What differs from role to role."""

    role: Literal["unit", "seed", "discovery"]
    name: str
    service_name: str
    image: pulumi.Input[str]
    cpu: str
    memory: str
    peer_url: str
    client_url: str
    """Both with $(MEMBER_NAME) where the pod's name belongs."""
    cluster_url: str
    """Where the cluster, if there is one, answers."""
    gated: bool
    """Pods start only when a sequence lets them."""
    grace_seconds: int
    retain: Mapping[str, str] | None
    """whenDeleted and whenScaled of the volumes; None: no volume outlives its pod."""
    service_account: pulumi.Input[str] | None = None
    """Set: its token is mounted, and the member may ask for its own StatefulSet."""
    discovery_secret: str | None = None
    """Set: this Secret is mounted at DISCOVERY_DIRECTORY, and the member is told so."""


def stateful_set(
    names: Names, workload: Workload, opts: pulumi.ResourceOptions
) -> KubernetesObject:
    """Declare the StatefulSet. It has no `replicas`: see `components.names.GATE`."""
    settings = names.settings
    persistent = settings.storage.kind == "persistent" and workload.retain is not None
    template = {
        "metadata": {"labels": _pod_labels(names, workload.role)},
        "spec": _pod(settings, names, workload, persistent=persistent),
    }
    digest = pulumi.Output.json_dumps(template, sort_keys=True).apply(_digest)
    spec: dict[str, Any] = {
        "serviceName": workload.service_name,
        # One at a time would never come up again after a full outage: a member is ready only
        # when a quorum is (https://github.com/etcd-io/etcd-operator/issues/130).
        "podManagementPolicy": "Parallel",
        # Of a new member etcd itself makes nothing for 5 s (its health interval), and so does
        # whoever watches `availableReplicas`, which is all that this sets where no update rolls.
        "minReadySeconds": 6,
        "selector": {"matchLabels": names.selector(workload.role)},
        # A change of the template must restart neither a seed in the middle of a bootstrap nor a
        # unit but by the sequence.
        "updateStrategy": {"type": "OnDelete"},
        "template": template,
    }
    if persistent:
        spec["volumeClaimTemplates"] = [_claim(settings, names, workload)]
        spec["persistentVolumeClaimRetentionPolicy"] = dict(workload.retain or {})
    return KubernetesObject(
        workload.name,
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": names.metadata(workload.name, {**SKIP_AWAIT, TEMPLATE_ANNOTATION: digest}),
            "spec": spec,
        },
        # Whoever has set the count with `kubectl edit`: plugin 4.x would take that over, and let
        # the default of 1 come back with the next change.
        pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(ignore_changes=["spec.replicas"])
        ),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _pod_labels(names: Names, role: str) -> dict[str, str]:
    member = {MEMBER_LABEL: "true", SERVING_LABEL: "true"} if role != "discovery" else {}
    return {**names.labels, **names.selector(role), **member}


def _pod(
    settings: Settings, names: Names, workload: Workload, *, persistent: bool
) -> dict[str, Any]:
    units, account = settings.units, workload.service_account
    secret = workload.discovery_secret
    optional = {
        "schedulingGates": [{"name": GATE}] if workload.gated else None,
        "nodeSelector": {**names.node_selector, **units.node_selector},
        "tolerations": [*names.tolerations, *units.tolerations, *_staying(names, workload)],
        "priorityClassName": names.priority_class,
        "imagePullSecrets": [{"name": name} for name in settings.image.pull_secrets],
        "affinity": dict(units.affinity),
        "topologySpreadConstraints": None if units.affinity else _spread(names, workload.role),
        # Names in the cluster are whole, and go to its DNS as they are. With the usual 5 a client
        # Service's, of 4 dots, is first looked for in the search domains, the last of which is the
        # node's own: that DNS may be slow, away, or answer any name (Kubernetes: "Pod's DNS
        # Config").
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
        "volumes": [
            *([] if persistent else [_scratch(in_memory=_in_memory(settings, workload))]),
            *([_secret(secret)] if secret else []),
        ],
    }
    return {
        **{key: value for key, value in optional.items() if value},
        **({} if account is None else {"serviceAccountName": account}),
        "automountServiceAccountToken": account is not None,
        # Else Kubernetes sets ETCD_* variables for the Services, which etcd takes for its own.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": workload.grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            # A large volume must not be walked at every start.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(settings, workload)],
    }


_AWAY = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def _staying(names: Names, workload: Workload) -> list[dict[str, str]]:
    """What keeps a unit where it is while Kubernetes has no word of its node.

    Else its pod is deleted after 5 min (Kubernetes: DefaultTolerationSeconds), and no budget is
    asked. On a dead node that ends nothing, since nobody confirms it. On one that has only lost
    the API server it ends a member that is well, and of all such nodes at once, when they find it
    again. Autopilot has tolerations of its own.
    """
    settings = names.settings
    if workload.role != "unit" or (settings.gke.create and settings.gke.autopilot):
        return []
    own = {entry.get("key") for entry in settings.units.tolerations}
    return [
        {"key": key, "operator": "Exists", "effect": "NoExecute"}
        for key in _AWAY
        if not own & {key, None}
    ]


def _container(settings: Settings, workload: Workload) -> dict[str, Any]:
    etcd = settings.etcd
    ports = {"client": etcd.client_port, "peer": etcd.peer_port, "metrics": etcd.metrics_port}
    return {
        "name": CONTAINER,
        "image": workload.image,
        "imagePullPolicy": settings.image.pull_policy,
        "env": _environment(settings, workload),
        "ports": [
            {"name": name, "containerPort": port}
            for name, port in {**ports, "health": etcd.health_port}.items()
        ],
        "resources": {
            "requests": {"cpu": workload.cpu, "memory": workload.memory},
            # No CPU limit: throttling makes elections.
            "limits": {"memory": workload.memory},
        },
        "livenessProbe": _probe(etcd.health_port, "/livez", period=10, failures=6),
        "readinessProbe": _probe(etcd.health_port, "/readyz", period=1, failures=3),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": DIRECTORY},
            *([_DISCOVERY_MOUNT] if workload.discovery_secret else []),
        ],
    }


def _probe(port: int, path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 8,  # etcd's /readyz takes up to 7 s without quorum
    }


def _environment(settings: Settings, workload: Workload) -> list[dict[str, Any]]:
    etcd = settings.etcd
    seed = workload.discovery_secret is not None
    discovery = {"MEMBER_DISCOVERY_DIRECTORY": DISCOVERY_DIRECTORY} if seed else {}
    # MEMBER_NAME first: Kubernetes expands $(...) only from variables before it.
    # The template's digest goes by the order.
    env: dict[str, str | dict[str, Any]] = {
        "MEMBER_NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
        "MEMBER_ROLE": workload.role,
        "MEMBER_NAMESPACE": settings.kubernetes.namespace,
        "MEMBER_STATEFUL_SET": workload.name,
        "MEMBER_PEER_URL": workload.peer_url,
        "MEMBER_CLIENT_URL": workload.client_url,
        "MEMBER_CLIENT_PORT": str(etcd.client_port),
        "MEMBER_PEER_PORT": str(etcd.peer_port),
        "MEMBER_METRICS_PORT": str(etcd.metrics_port),
        "MEMBER_HEALTH_PORT": str(etcd.health_port),
        "MEMBER_ETCD_VERSION": etcd.version,
        "MEMBER_QUOTA_BYTES": str(quota_bytes(settings)),
        "MEMBER_SNAPSHOT_COUNT": str(snapshot_count(settings)),
        "MEMBER_LOG_LEVEL": etcd.log_level,
        "MEMBER_DIRECTORY": DIRECTORY,
        # For what sequences run beside the supervisor, which takes proxies away by itself: some
        # clusters put HTTPS_PROXY into every pod, and etcdctl would go through it.
        "NO_PROXY": "*",
        "GOMEMLIMIT": str(heap_bytes(workload.memory, holds_data=_in_memory(settings, workload))),
        "MEMBER_CLUSTER_URL": workload.cluster_url,
        **discovery,
        **{entry.name: entry.value for entry in etcd.extra_env},
    }
    return [
        {"name": name, "valueFrom" if isinstance(value, dict) else "value": value}
        for name, value in env.items()
    ]


def _spread(names: Names, role: str) -> list[dict[str, Any]]:
    """Over zones and hosts as far as there are any; a one-node cluster is no reason to refuse.

    Only where the nodes are ours to know, in three zones, a unit rather waits than shares a zone
    unevenly: its volume would keep it there for ever.
    """
    gke = names.settings.gke
    strict = role == "unit" and gke.create and gke.zone is None
    # Autopilot has no node in a zone before a pod asks for one there.
    zones = {"minDomains": ZONES} if strict and gke.autopilot else {}
    return [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule" if strict else "ScheduleAnyway",
            "labelSelector": {"matchLabels": names.selector(role)},
            **zones,
        },
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": names.selector(role)},
        },
    ]


def _in_memory(settings: Settings, workload: Workload) -> bool:
    """Whether its data is in memory: with that kind of storage, of units only.

    etcd makes two files of 64 MB for its log at once (SegmentSizeBytes and filePipeline in
    server/storage/wal), and what is in a tmpfs counts as the container's memory: a seed would be
    ended by the kernel while it starts, at times before its log has an entry, and then a start on
    that log waits for a leader for ever.
    """
    return settings.storage.kind == "memory" and workload.role == "unit"


def _scratch(*, in_memory: bool) -> dict[str, Any]:
    return {"name": "data", "emptyDir": {"medium": "Memory"} if in_memory else {}}


_DISCOVERY_MOUNT = {"name": "discovery", "mountPath": DISCOVERY_DIRECTORY, "readOnly": True}


def _secret(name: str) -> dict[str, Any]:
    # 0440: the pod's fsGroup is the group.
    return {"name": "discovery", "secret": {"secretName": name, "defaultMode": 0o440}}


def _claim(settings: Settings, names: Names, workload: Workload) -> dict[str, Any]:
    storage, storage_class = settings.storage, names.storage_class
    named = {"storageClassName": storage_class} if storage_class else {}
    return {
        # Immutable in a StatefulSet, so nothing that changes from version to version is in it.
        "metadata": {"name": "data", "labels": names.selector(workload.role)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": canonical(storage.size)}},
            **named,
        },
    }
