"""What a destroy is to keep: a whole cluster, on volumes that stay.

It is whole once the seeds have left it. Before, seeds are members, perhaps more than half of them,
and their volumes go with them: units on kept volumes would wait for them for ever.

A volume stays once its claim has no owner. As long as Kubernetes is to delete the volumes with the
units' StatefulSet, that owns their claims; who takes it off is the StatefulSet's controller, some
time after it is told to keep them, and not while it is refused another unit's pod. A StatefulSet
that is being deleted it leaves alone (kubernetes: updateStatefulSet in stateful_set_control.go;
updateClaimOwnerRefForSetAndPod in stateful_set_utils.go).
"""

from __future__ import annotations

from typing import Any

from components.birth import gates
from components.kube.client import Kube
from components.kube.errors import UnreachableError, plain_errors
from components.progress import Progress, SequenceError, Unmet
from components.site import Site

STAY_SECONDS = 30
"""For Kubernetes to let the volumes stay. It takes it less than one, where nothing is amiss."""

_NOBODYS = '{"metadata": {"ownerReferences": null}}'


def require_whole(site: Site, kubeconfig: str) -> None:
    """Raise SequenceError where volumes would be kept on which there is no quorum, or would go
    though they are to be kept.

    A cluster that is not reached is none of its business: whatever is to be deleted there says so.
    """
    try:
        with plain_errors(site):
            kube = Kube(kubeconfig, site, patient=False)
            units = _keeping(kube)
            if units is None:
                return
            half, owned = _half(kube), _owned(kube, units)
    except UnreachableError:
        return
    if half:
        raise SequenceError(
            f"the handover of namespace {site.namespace} is not finished: the seeds hold what "
            "clients have written, and go with a destroy, while etcd:storage.retain keeps the "
            "units' volumes, which are no quorum without them",
            "pulumi up, which ends the handover; or, if what was written may go, "
            f"{site.kubectl('delete', '--wait=false', 'pvc', *half)}; then pulumi destroy",
        )
    if owned:
        _let_stay(site, kubeconfig, units, owned)


def _keeping(kube: Kube) -> Any:
    """The units' StatefulSet; None where it is not there, or keeps no volumes."""
    found = kube.stateful_set_if_there(kube.site.units)
    policy = found and found.spec.persistent_volume_claim_retention_policy
    return found if policy is not None and policy.when_deleted == "Retain" else None


def _half(kube: Kube) -> list[str]:
    """The units' volumes that would be kept of a cluster to which seeds belong."""
    site = kube.site
    try:
        noted = gates.noted(kube.read_secret(site.discovery))
    except SequenceError:
        return []  # somebody else's Secret
    if not noted:
        return []
    return [claim.metadata.name for claim in kube.staying_volumes(site.units)]


def _owned(kube: Kube, units: Any) -> list[str]:
    """Those of the units' volumes that go with their StatefulSet. No pod owns one of them, since
    they outlive a scale-down."""
    return [
        claim.metadata.name
        for claim in kube.staying_volumes(kube.site.units)
        if any(o.uid == units.metadata.uid for o in claim.metadata.owner_references or [])
    ]


def _let_stay(site: Site, kubeconfig: str, units: Any, owned: list[str]) -> None:
    """Wait until Kubernetes lets all of them stay. Raises SequenceError at the deadline, and where
    nobody answers any more: somebody did before, and may delete them."""
    progress = Progress("units", STAY_SECONDS)
    progress.say(f"etcd:storage.retain keeps {', '.join(owned)}: waiting for Kubernetes to see it")
    with plain_errors(site):
        kube = Kube(kubeconfig, site)

        def stay() -> bool | Unmet:
            left = ", ".join(_owned(kube, units))
            return Unmet(f"StatefulSet {site.units} owns {left}") if left else True

        progress.wait(
            "the volumes that are to be kept to belong to nobody",
            stay,
            f"{site.kubectl('patch', 'pvc', *owned, '--type=merge', '-p', _NOBODYS)}, "
            "then pulumi destroy",
        )
