"""The units: the members that stay."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s

from components.names import Names
from components.workload import SKIP_AWAIT, Workload, stateful_set

TOKEN = "etcd:cluster:Units"


class Units(pulumi.ComponentResource):
    """The units' workload and what guards it.

    **Pulumi Type:** ``etcd:cluster:Units``
    Children: ServiceAccount, Role, RoleBinding, PodDisruptionBudget, StatefulSet.
    Deliberately absent: the count, which the `Scale` resource sets.
    """

    def __init__(
        self,
        name: str,
        names: Names,
        image: pulumi.Input[str],
        hooks: pulumi.ResourceHookBinding,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self, hooks=hooks)
        settings = names.settings
        metadata = k8s.meta.v1.ObjectMetaArgs(
            name=names.units, namespace=settings.kubernetes.namespace, labels=names.labels
        )
        account = _account(names, metadata, child)
        k8s.policy.v1.PodDisruptionBudget(
            names.units,
            metadata=metadata,
            spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
                max_unavailable=1,
                selector=k8s.meta.v1.LabelSelectorArgs(match_labels=names.selector("unit")),
            ),
            opts=child,
        )
        stateful_set(
            names,
            Workload(
                role="unit",
                name=names.units,
                service_name=names.peer_service,
                image=image,
                cpu=settings.units.cpu,
                memory=settings.units.memory,
                peer_url=names.peer_url("$(MEMBER_NAME)"),
                client_url=names.client_url("$(MEMBER_NAME)"),
                gated=False,
                update_strategy="RollingUpdate",
                grace_seconds=60,
                retain={
                    "whenDeleted": "Retain" if settings.storage.retain else "Delete",
                    # A volume outlives a scale-down: whether it goes is a step of its own.
                    "whenScaled": "Retain",
                },
                service_account=account,
                env={"MEMBER_CLUSTER_URL": names.cluster_url},
            ),
            child,
        )
        self.register_outputs({})


def _account(
    names: Names, metadata: k8s.meta.v1.ObjectMetaArgs, child: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    """An account that may read its own StatefulSet and nothing else. Returns its name."""
    account = k8s.core.v1.ServiceAccount(
        names.units,
        # The plugin's wait is for a token Secret, which Kubernetes makes no more since 1.24.
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=metadata.name,
            namespace=metadata.namespace,
            labels=metadata.labels,
            annotations=SKIP_AWAIT,
        ),
        opts=child,
    )
    role = k8s.rbac.v1.Role(
        names.units,
        metadata=metadata,
        rules=[
            k8s.rbac.v1.PolicyRuleArgs(
                api_groups=["apps"],
                resources=["statefulsets"],
                resource_names=[names.units],
                verbs=["get"],
            )
        ],
        opts=child,
    )
    k8s.rbac.v1.RoleBinding(
        names.units,
        metadata=metadata,
        role_ref=k8s.rbac.v1.RoleRefArgs(
            api_group="rbac.authorization.k8s.io", kind="Role", name=names.units
        ),
        subjects=[
            k8s.rbac.v1.SubjectArgs(
                kind="ServiceAccount",
                name=names.units,
                namespace=names.settings.kubernetes.namespace,
            )
        ],
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[role])),
    )
    return account.metadata.name
