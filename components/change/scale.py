"""The sequence behind `Scale`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.change import plan
from components.change.balance import balance, workload
from components.change.loop import Loop
from components.change.proof import prove
from components.kube.claims import claim_name, is_ours
from components.kube.client import Kube
from components.kube.errors import plain_errors
from components.kube.pods import by_ordinal
from components.names import SCALE
from components.progress import Progress
from components.site import Site
from containers.etcd.supervisor.kubernetes import LEAVING_ANNOTATION
from containers.etcd.supervisor.membership import View


def is_due(site: Site, props: Mapping[str, Any]) -> bool:
    """Whether Kubernetes has another count than the wanted one, or a change of it was cut off.

    One question alone: on a first `up` the handover has just brought the count.
    """
    with plain_errors(site):
        found = Kube(str(props["kubeconfig"]), site).stateful_set(site.units)
    leaving = LEAVING_ANNOTATION in (found.metadata.annotations or {})
    return leaving or found.spec.replicas != props["units"] or SCALE in props["unfinished"]


def rescale(site: Site, props: Mapping[str, Any], *, resumed: bool) -> dict[str, Any]:
    """Bring the membership to the wanted count; return the proof. Raises SequenceError.

    `resumed`: the count is as it was, and a change of it was cut off. Where that has left nothing
    to do, the proof is the one of before, and the members' health is not asked for.
    """
    with plain_errors(site):
        kube = Kube(str(props["kubeconfig"]), site)
        progress = Progress.of(SCALE, props)
        loop = Loop.of(kube, props, progress)
        kube.note_unfinished(SCALE, unfinished=True)
        done = resumed and _nothing_is_left(loop)
        if not done:
            balance(loop, least=int(props["min_tolerance"]))
        if not props["retain"]:
            _delete_volumes(kube, loop.goal.count, progress)
        proof = (props.get("proof") or {}) if done else prove(loop)
        kube.note_unfinished(SCALE, unfinished=False)
        return proof


def _nothing_is_left(loop: Loop) -> bool:
    """Call back a unit that was told to leave and is wanted; whether that was all."""
    leaving = workload(loop).leaving
    if leaving is not None and leaving < loop.goal.count:
        units = loop.kube.site.units
        loop.kube.announce(units, None)
        loop.progress.say(f"unit {units}-{leaving}, which was told to leave, stays")
    view = loop.look()
    return isinstance(view, View) and plan.reached(loop.goal, view, workload(loop))


def _delete_volumes(kube: Kube, count: int, progress: Progress) -> None:
    """Delete the volumes of units that have left; their pods are gone."""
    units = kube.site.units
    for ordinal, claim in by_ordinal(kube.volumes(units), claim_name(units)).items():
        if ordinal < count:
            continue
        name = claim.metadata.name
        if not is_ours(kube.site, claim):
            progress.say(f"volume {name} stays: it is not labelled as of this stack")
        elif ordinal < kube.stateful_set(units).spec.replicas:
            # Asked once more: a unit runs on a claim that ends until its pod does, and its disk
            # goes with it.
            progress.say(f"volume {name} stays: somebody has scaled the units up meanwhile")
        else:
            kube.delete_volume(claim)
            progress.say(f"volume {name} deleted")
