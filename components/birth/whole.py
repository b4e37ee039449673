"""Whether what a destroy keeps is a whole cluster, which it is once the seeds have left it.

Before, seeds are members, perhaps more than half of them, and their volumes go with them: units on
kept volumes would wait for them for ever.
"""

from __future__ import annotations

from components.birth import gates
from components.kube.client import Kube
from components.kube.errors import UnreachableError, plain_errors
from components.progress import SequenceError
from components.site import Site


def require_whole(site: Site, kubeconfig: str) -> None:
    """Raise SequenceError where volumes would be kept on which there is no quorum.

    A cluster that is not reached is none of its business: whatever is to be deleted there says so.
    """
    try:
        with plain_errors(site):
            claims = _half(Kube(kubeconfig, site, patient=False))
    except UnreachableError:
        return
    if claims:
        raise SequenceError(
            f"the handover of namespace {site.namespace} is not finished: the seeds hold what "
            "clients have written, and go with a destroy, while etcd:storage.retain keeps the "
            "units' volumes, which are no quorum without them",
            "pulumi up, which ends the handover; or, if what was written may go, "
            f"{site.kubectl('delete', '--wait=false', 'pvc', *claims)}; then pulumi destroy",
        )


def _half(kube: Kube) -> list[str]:
    """The units' volumes that would be kept of a cluster to which seeds belong."""
    site = kube.site
    try:
        noted = gates.noted(kube.read_secret(site.discovery))
    except SequenceError:
        return []  # somebody else's Secret
    if not noted:
        return []
    found = kube.stateful_set_if_there(site.units)
    policy = found and found.spec.persistent_volume_claim_retention_policy
    if policy is None or policy.when_deleted != "Retain":
        return []
    return [claim.metadata.name for claim in kube.staying_volumes(site.units)]
