"""The sequence behind `Scale`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.dynamic.balance import balance
from components.dynamic.kube import Kube, plain_errors
from components.dynamic.loop import Loop
from components.dynamic.pods import ordinal_of
from components.dynamic.progress import Progress
from components.dynamic.proof import prove
from components.dynamic.site import Site


def rescale(site: Site, props: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the membership to the wanted count; return the proof. Raises SequenceError."""
    with plain_errors(site):
        kube = Kube(str(props["kubeconfig"]), site)
        progress = Progress("scale", int(props["timeout_seconds"]))
        loop = Loop.of(kube, props, progress)
        balance(loop)
        if not props["retain"]:
            _delete_volumes(kube, loop.goal.count, progress)
        return prove(loop)


def _delete_volumes(kube: Kube, count: int, progress: Progress) -> None:
    """Delete the volumes of units that have left; their pods are gone."""
    for claim in kube.volumes(kube.site.units):
        ordinal = ordinal_of(claim, f"data-{kube.site.units}")
        if ordinal is not None and ordinal >= count:
            kube.delete_volume(claim.metadata.name)
            progress.say(f"volume {claim.metadata.name} deleted")
