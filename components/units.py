"""The units: the members that stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.kubernetes_object import KubernetesObject
from components.member_rights import RBAC, rules
from components.names import TEMPLATE_ANNOTATION, UNFINISHED, Names
from components.workload import SKIP_AWAIT, Workload, stateful_set

TOKEN = "etcd:cluster:Units"


class Units(pulumi.ComponentResource):
    """The units' workload and what guards it.

    **Pulumi Type:** ``etcd:cluster:Units``
    Children: ServiceAccount, Role, RoleBinding, PodDisruptionBudget, StatefulSet.
    Deliberately absent: the count, which the sequences set, and a rollout by Kubernetes (OnDelete),
    which knows nothing of leaders and of who has caught up.
    """

    replicas: pulumi.Output[int | None]
    """The count that Kubernetes has now, whoever has set it; None where it was not reached."""
    unfinished: pulumi.Output[list[str]]
    """The sequences that an earlier `up` has begun and not brought to their end."""
    template: pulumi.Output[str]
    """Tells one pod template from another."""

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
        account = _account(names, child)
        budget = _budget(names, child)
        workload = stateful_set(
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
                cluster_url=names.cluster_url,
                gated=False,
                grace_seconds=60,
                retain={
                    "whenDeleted": "Retain" if settings.storage.retain else "Delete",
                    # A volume outlives a scale-down: whether it goes is a step of its own.
                    "whenScaled": "Retain",
                },
                service_account=account,
            ),
            child,
        )
        found = budget.found(pulumi.ResourceOptions(parent=self))
        # The replica count of the StatefulSet whose pods are there, as the budget counts them.
        self.replicas = found.status.apply(counted)
        self.unfinished = found.metadata.apply(under_way)
        self.template = workload.manifest["metadata"]["annotations"][TEMPLATE_ANNOTATION]
        self.register_outputs(
            {
                "replicas": self.replicas,
                "unfinished": self.unfinished,
                "template": self.template,
            }
        )


def counted(status: Mapping[str, Any] | None) -> int | None:
    """The pods of which the budget's status says that they are expected. Pure.

    Without a status nobody was asked: the plugin did not reach Kubernetes, which is no zero.
    """
    return None if status is None else status.get("expectedPods", 0)


def under_way(budget: Mapping[str, Any] | None) -> list[str]:
    """The sequences of which the budget's metadata say that they are under way. Pure."""
    notes = (budget or {}).get("annotations") or {}
    # In one order, as is all that the state holds.
    return sorted(key.removeprefix(UNFINISHED) for key in notes if key.startswith(UNFINISHED))


def _budget(names: Names, child: pulumi.ResourceOptions) -> KubernetesObject:
    """What lets a drain of nodes end one unit at a time."""
    return KubernetesObject(
        names.units,
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": names.metadata(names.units),
            "spec": {
                "maxUnavailable": 1,
                "selector": {"matchLabels": names.selector("unit")},
            },
        },
        child,
    )


def _account(names: Names, child: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """An account that may read its own StatefulSet and nothing else. Returns its name."""
    account = KubernetesObject(
        names.units,
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            # The plugin's wait is for a token Secret, which Kubernetes makes no more since 1.24.
            "metadata": names.metadata(names.units, SKIP_AWAIT),
        },
        child,
    )
    role = KubernetesObject(
        names.units,
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "Role",
            "metadata": names.metadata(names.units),
            "rules": rules(names.units),
        },
        child,
    )
    namespace = names.settings.kubernetes.namespace
    KubernetesObject(
        names.units,
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": names.metadata(names.units),
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": names.units},
            "subjects": [{"kind": "ServiceAccount", "name": names.units, "namespace": namespace}],
        },
        pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[role])),
    )
    # Not the plain name: no pod can be made before its account is there.
    return account.metadata["name"]
