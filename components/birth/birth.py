"""How a cluster comes to be there: kept on volumes or by units, born earlier, or born now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.birth import acceptance, bootstrap, gates, leftover, teardown, tokens, volatile
from components.etcd import lock
from components.kube.client import Kube
from components.kube.errors import plain_errors
from components.kube.pods import gated
from components.progress import Progress
from components.site import Site


def birth(site: Site, props: dict[str, Any]) -> dict[str, Any]:
    """Return the discovery resource's outputs once a cluster exists.

    Raises SequenceError, after which the next attempt starts over: nothing is kept in between but
    what stands in Kubernetes.
    """
    progress = Progress.of("discovery", props)
    with plain_errors(site):
        kube = Kube(props["kubeconfig"], site)
        found = _found(kube, kube.read_secret(site.discovery), progress)
        if found is not None:
            return found
        leftover.require_empty(kube, int(props["units"]), progress)
        return _born(kube, props, progress)


def _found(kube: Kube, earlier: Mapping[str, str], progress: Progress) -> dict[str, Any] | None:
    """Go on with the cluster that is there; None if there is none.

    `earlier`: what an attempt has left in the Secret, or had before it was ended.
    """
    retained = lock.on_volumes(kube)
    if retained is not None:
        return _kept(kube, retained, kube.read_secret(kube.site.discovery), progress)
    born = acceptance.accepted_earlier(kube, earlier, progress)
    if born is None and not gates.unaccepted(earlier):
        born = volatile.in_units(kube, progress)
    return None if born is None else _resumed(born, earlier, progress)


def _born(kube: Kube, props: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Form a cluster, where there was none at the first look."""
    site, mode, size = kube.site, str(props["mode"]), int(props["size"])
    # Asked for before the old attempt is ended: a service that gives none changes nothing.
    token = tokens.fresh(mode, str(props["url"]), size, site.discovery_url)
    # Which takes time, and the earlier run may live on: who kills Pulumi does not kill its plugins.
    # It may have noted its cluster meanwhile, or written the mark of one that it had noted before.
    earlier = kube.read_secret(site.discovery)
    found = _found(kube, earlier, progress)
    if found is None and earlier:
        progress.say("an earlier attempt was not finished: its seeds and its token are ended")
        teardown.wipe(kube, progress, earlier.get("token", ""))
        # Which takes minutes where a node is dead. Meanwhile another run may have come and gone.
        found = _found(kube, earlier, progress)
    if found is not None:
        return found
    progress.phase_done("checks")
    cluster = bootstrap.run_seeds(kube, token, size, progress, own=mode == "inCluster")
    born = acceptance.accept(kube, cluster, token, progress)
    # Only now is there a pod again from which its service is reached.
    teardown.forget(kube, cluster, earlier, progress)
    progress.say(f"cluster {born.cluster_id} is born: {size} seeds vote")
    return _outs(born, "born", token.value, progress.phases)


def _kept(
    kube: Kube, retained: lock.Lock, earlier: Mapping[str, str], progress: Progress
) -> dict[str, Any]:
    """Go on with the cluster on the units' volumes."""
    if _at_rest(kube, gates.noted(earlier)):
        say = f"the units' volumes hold cluster {retained.cluster_id}: no seed is started"
        progress.say(say)
        teardown.wipe(kube, progress)
        return _outs(retained, "retained")
    # A handover was cut off: its seeds may still be voters, and only it may end them.
    say = f"the handover of cluster {retained.cluster_id} is not finished: going on with it"
    progress.say(say)
    return _outs(retained, "resumed", earlier.get("token", ""))


def _at_rest(kube: Kube, known: frozenset[str]) -> bool:
    """Whether no seed is a member: none of them runs, and none of the cluster's data is left.

    A claim counts without its pod, too, which a quota or an admission may keep away. After the last
    removal of a handover that is so as well: the handover ends what is left.
    """
    seeds = kube.pods(kube.site.seeds)
    if not all(gated(pod) for pod in seeds):
        return False
    claims = kube.staying_volumes(kube.site.seeds) if known else []
    return known.isdisjoint(str(found.metadata.uid) for found in [*seeds, *claims])


def _resumed(born: lock.Lock, earlier: Mapping[str, str], progress: Progress) -> dict[str, Any]:
    progress.say(f"cluster {born.cluster_id} was born in an earlier run: going on with it")
    return _outs(born, "resumed", earlier.get("token", ""))


def _outs(
    born: lock.Lock, origin: str, token: str = "", phases: dict[str, float] | None = None
) -> dict[str, Any]:
    return {
        "cluster_id": born.cluster_id,
        "birth": born.birth,
        "origin": origin,
        "token": token,
        "phases": phases or {},
    }
