"""Which PersistentVolumes the lab owes its claims: decisions only, over plain API objects.

The volumes are of kind `local`: the kubelet bind-mounts a folder of the node and applies the
pod's fsGroup to it, as it does with a cloud disk. A new folder belongs to root with mode 0755, as
a newly formatted disk does. The size that a claim asks for is recorded and not enforced.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROVISIONER = "lab.etcd/local"

_SERVED = (PROVISIONER, "pd.csi.storage.gke.io")
"""The second is GKE's: the GKE stack on the lab asks for its disks (lab/gke.py)."""

_CLASS = "standard"

_PROVISIONER_WANTED = "volume.kubernetes.io/storage-provisioner"
"""Set by Kubernetes' volume controller once a claim wants a volume: at once, or with
WaitForFirstConsumer when the scheduler has chosen the node."""

_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"

Object = Mapping[str, Any]
"""An API object in its JSON form, read only."""


def storage_class() -> dict[str, Any]:
    """Return the default StorageClass."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": _CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def wants_volume(claim: Object) -> bool:
    """Whether a volume is to be made for this claim now.

    For one of our own class, which binds at once, before Kubernetes' volume controller asks for it:
    that writes to a new claim at the same moment as the StatefulSet's, which notes its retention
    policy there, and when it is refused it leaves the claim alone until its next resync, for up to
    15 s (pkg/controller/volume/persistentvolume: provisioning backs off, a resync is 15 s).
    """
    asked = _annotations(claim).get(_PROVISIONER_WANTED) in _SERVED
    return (
        (asked or claim["spec"].get("storageClassName") == _CLASS)
        and not claim["spec"].get("volumeName")
        and not claim["metadata"].get("deletionTimestamp")
    )


def volume_for(claim: Object, reclaim_policy: str, node: str, folder: Path) -> dict[str, Any]:
    """Return the PersistentVolume for a claim.

    It is bound to the claim from the start, and its name follows from the claim's uid, so that
    making it a second time is refused by the API.
    """
    metadata, spec = claim["metadata"], claim["spec"]
    name = volume_name(claim)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {_PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": "Filesystem",
            "storageClassName": spec.get("storageClassName") or "",
            "persistentVolumeReclaimPolicy": reclaim_policy,
            "local": {"path": str(folder / name)},
            "nodeAffinity": _only_on(_annotations(claim).get(_SELECTED_NODE) or node),
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
        },
    }


def volume_name(claim: Object) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def is_to_be_deleted(volume: Object) -> bool:
    """Whether a volume is one of the lab's whose claim is gone and which nobody wants to keep."""
    return (
        _annotations(volume).get(_PROVISIONED_BY) == PROVISIONER
        and volume.get("status", {}).get("phase") == "Released"
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        and not volume["metadata"].get("deletionTimestamp")
    )


def _annotations(thing: Object) -> Mapping[str, str]:
    return thing["metadata"].get("annotations") or {}


def _only_on(node: str) -> dict[str, Any]:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}
