"""The sequence behind `Handover`: from seeds to units."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from components.birth import gates, teardown
from components.change.balance import balance
from components.change.loop import Loop
from components.change.proof import prove
from components.kube.client import Kube
from components.kube.errors import plain_errors
from components.progress import Progress
from components.site import Site


def hand_over(site: Site, props: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the membership to exactly the units, and end what belongs to the bootstrap.

    Returns the handover's outputs. Raises SequenceError.
    """
    with plain_errors(site):
        kube = Kube(str(props["kubeconfig"]), site)
        progress = Progress.of("handover", props)
        loop = Loop.of(kube, props, progress)
        loop.beside = partial(gates.see_to, kube, progress)
        balance(loop)
        # Without seeds (a retained cluster) nothing else has ended a phase.
        progress.phase_done("seeds removed" if progress.phases else "units vote")
        teardown.end(kube, loop.cluster, progress)
        progress.phase_done("teardown")
        proof = prove(loop)
        progress.phase_done("receipt")
    return {"proof": proof, "timings": progress.phases}
