"""What a cluster that is made here offers its pods: a class of disks, and a priority.

Elsewhere both are the business of whoever runs the cluster.
"""

from __future__ import annotations

from typing import Any

import pulumi

from components.kubernetes_object import KubernetesObject
from components.names import Names

PRIORITY = 1_000_000
"""Above every pod of no class (0), below the system's (2000000000)."""


def declare(
    names: Names, hooks: pulumi.ResourceHookBinding, inside: pulumi.ResourceOptions
) -> pulumi.ResourceOptions:
    """Declare what there is to declare; return the options of what comes after it.

    The objects go last, too: a volume that is being deleted still looks at its class.
    """
    own = pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(hooks=hooks))
    manifests = [
        *([_storage_class(names, names.storage_class)] if names.owns_storage_class else []),
        *([_priority_class(names, names.priority_class)] if names.priority_class else []),
    ]
    declared = [KubernetesObject(m["metadata"]["name"], m, own) for m in manifests]
    return pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(depends_on=declared))


def _storage_class(names: Names, name: str | None) -> dict[str, Any]:
    key = names.settings.gke.kms_key
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": names.global_metadata(name or ""),
        # Zonal disks: etcd keeps the copies, a regional disk would write each of them twice.
        "provisioner": "pd.csi.storage.gke.io",
        # Immutable, so nothing that may change is in it. etcd waits for the disk at every write:
        # the milliseconds of an SSD, not of a spindle.
        "parameters": {
            "type": "pd-ssd",
            **({"disk-encryption-kms-key": key} if key else {}),  # CIS 5.9.1
        },
        # The disk comes where the pod is put, not the pod where a disk happens to be.
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
        # Immutable too: whether data outlives its member is decided by the claims, which do.
        "reclaimPolicy": "Delete",
    }


def _priority_class(names: Names, name: str | None) -> dict[str, Any]:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": names.global_metadata(name or ""),
        "value": PRIORITY,
        "description": "Members of the etcd cluster: they go before pods of no class.",
    }
