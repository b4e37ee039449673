"""The StatefulSet that all three roles share, and what differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import pulumi
import pulumi_kubernetes as k8s

from components.names import GATE, MEMBER_LABEL, SERVING_LABEL, Names
from components.quantities import quota_bytes
from components.settings import Settings

USER = 65532
"""The image's own user, `nonroot`."""

DIRECTORY = "/var/lib/etcd"

SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""The sequences wait, and show what for; Pulumi's own waits would wait for each other."""

Env = dict[str, pulumi.Input[str] | k8s.core.v1.EnvVarSourceArgs]


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
    gated: bool
    """Pods start only when a sequence lets them."""
    update_strategy: Literal["RollingUpdate", "OnDelete"]
    grace_seconds: int
    retain: Mapping[str, str] | None
    """whenDeleted and whenScaled of the volumes; None: no volume outlives its pod."""
    service_account: pulumi.Input[str] | None = None
    """Set: its token is mounted, and the member may ask for its own StatefulSet."""
    env: Env = field(default_factory=Env)


def stateful_set(
    names: Names, workload: Workload, opts: pulumi.ResourceOptions
) -> k8s.apps.v1.StatefulSet:
    """Declare the StatefulSet. It has no `replicas`: see `components.names.GATE`."""
    settings = names.settings
    persistent = settings.storage.kind == "persistent" and workload.retain is not None
    return k8s.apps.v1.StatefulSet(
        workload.name,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=workload.name,
            namespace=settings.kubernetes.namespace,
            labels=names.labels,
            annotations=SKIP_AWAIT,
        ),
        spec=k8s.apps.v1.StatefulSetSpecArgs(
            service_name=workload.service_name,
            # One at a time would never come up again after a full outage: a member is ready only
            # when a quorum is (https://github.com/etcd-io/etcd-operator/issues/130).
            pod_management_policy="Parallel",
            # etcd counts a member as connected after 5 s; a rollout must not outrun that.
            min_ready_seconds=6,
            selector=k8s.meta.v1.LabelSelectorArgs(match_labels=names.selector(workload.role)),
            update_strategy=k8s.apps.v1.StatefulSetUpdateStrategyArgs(
                type=workload.update_strategy
            ),
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=k8s.meta.v1.ObjectMetaArgs(labels=_pod_labels(names, workload.role)),
                spec=_pod(settings, names, workload, persistent=persistent),
            ),
            volume_claim_templates=[_claim(settings, names, workload)] if persistent else None,
            persistent_volume_claim_retention_policy=(
                _retention(workload.retain) if persistent and workload.retain else None
            ),
        ),
        opts=opts,
    )


def _pod_labels(names: Names, role: str) -> dict[str, str]:
    member = {MEMBER_LABEL: "true", SERVING_LABEL: "true"} if role != "discovery" else {}
    return {**names.labels, **names.selector(role), **member}


def _pod(
    settings: Settings, names: Names, workload: Workload, *, persistent: bool
) -> k8s.core.v1.PodSpecArgs:
    units = settings.units
    return k8s.core.v1.PodSpecArgs(
        scheduling_gates=(
            [k8s.core.v1.PodSchedulingGateArgs(name=GATE)] if workload.gated else None
        ),
        service_account_name=workload.service_account,
        automount_service_account_token=workload.service_account is not None,
        # Else Kubernetes sets ETCD_* variables for the Services, which etcd takes for its own.
        enable_service_links=False,
        termination_grace_period_seconds=workload.grace_seconds,
        node_selector=dict(units.node_selector) or None,
        # Written as Kubernetes has them, camelCase; the SDK's types want snake_case.
        tolerations=cast(Any, list(units.tolerations) or None),
        affinity=cast(Any, dict(units.affinity) or None),
        topology_spread_constraints=None if units.affinity else _spread(names, workload.role),
        security_context=k8s.core.v1.PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=USER,
            run_as_group=USER,
            fs_group=USER,
            # A large volume must not be walked at every start.
            fs_group_change_policy="OnRootMismatch",
            seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
        ),
        containers=[_container(settings, workload)],
        volumes=None if persistent else [_scratch(settings)],
    )


def _container(settings: Settings, workload: Workload) -> k8s.core.v1.ContainerArgs:
    etcd = settings.etcd
    ports = {"client": etcd.client_port, "peer": etcd.peer_port, "metrics": etcd.metrics_port}
    return k8s.core.v1.ContainerArgs(
        name="etcd",
        image=workload.image,
        image_pull_policy=settings.image.pull_policy,
        env=_environment(settings, workload),
        ports=[
            k8s.core.v1.ContainerPortArgs(name=name, container_port=port)
            for name, port in {**ports, "health": etcd.health_port}.items()
        ],
        resources=k8s.core.v1.ResourceRequirementsArgs(
            requests={"cpu": workload.cpu, "memory": workload.memory},
            # No CPU limit: throttling makes elections.
            limits={"memory": workload.memory},
        ),
        liveness_probe=_probe(etcd.health_port, "/livez", period=10, failures=6),
        readiness_probe=_probe(etcd.health_port, "/readyz", period=1, failures=3),
        security_context=k8s.core.v1.SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
        ),
        volume_mounts=[k8s.core.v1.VolumeMountArgs(name="data", mount_path=DIRECTORY)],
    )


def _probe(port: int, path: str, *, period: int, failures: int) -> k8s.core.v1.ProbeArgs:
    return k8s.core.v1.ProbeArgs(
        http_get=k8s.core.v1.HTTPGetActionArgs(path=path, port=port),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=8,  # etcd's /readyz takes up to 7 s without quorum
    )


def _environment(settings: Settings, workload: Workload) -> list[k8s.core.v1.EnvVarArgs]:
    etcd = settings.etcd
    pod_name = k8s.core.v1.EnvVarSourceArgs(
        field_ref=k8s.core.v1.ObjectFieldSelectorArgs(field_path="metadata.name")
    )
    # MEMBER_NAME first: Kubernetes expands $(...) only from variables before it.
    env: Env = {
        "MEMBER_NAME": pod_name,
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
        "MEMBER_LOG_LEVEL": etcd.log_level,
        "MEMBER_DIRECTORY": DIRECTORY,
        **workload.env,
        **{entry.name: entry.value for entry in etcd.extra_env},
    }
    return [
        k8s.core.v1.EnvVarArgs(name=name, value_from=value)
        if isinstance(value, k8s.core.v1.EnvVarSourceArgs)
        else k8s.core.v1.EnvVarArgs(name=name, value=value)
        for name, value in env.items()
    ]


def _spread(names: Names, role: str) -> list[k8s.core.v1.TopologySpreadConstraintArgs]:
    """Over zones and hosts as far as there are any; a one-node cluster is no reason to refuse."""
    return [
        k8s.core.v1.TopologySpreadConstraintArgs(
            max_skew=1,
            topology_key=key,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=k8s.meta.v1.LabelSelectorArgs(match_labels=names.selector(role)),
        )
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def _scratch(settings: Settings) -> k8s.core.v1.VolumeArgs:
    medium = "Memory" if settings.storage.kind == "memory" else None
    return k8s.core.v1.VolumeArgs(
        name="data", empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs(medium=medium)
    )


def _claim(
    settings: Settings, names: Names, workload: Workload
) -> k8s.core.v1.PersistentVolumeClaimArgs:
    storage = settings.storage
    return k8s.core.v1.PersistentVolumeClaimArgs(
        # Immutable in a StatefulSet, so nothing that changes from version to version is in it.
        metadata=k8s.meta.v1.ObjectMetaArgs(name="data", labels=names.selector(workload.role)),
        spec=k8s.core.v1.PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteOnce"],
            storage_class_name=storage.class_name,
            resources=k8s.core.v1.VolumeResourceRequirementsArgs(
                requests={"storage": storage.size}
            ),
        ),
    )


def _retention(
    policy: Mapping[str, str],
) -> k8s.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicyArgs:
    return k8s.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicyArgs(
        when_deleted=policy["whenDeleted"], when_scaled=policy["whenScaled"]
    )
