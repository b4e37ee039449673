"""The moment from which a cluster is given to clients and units: its birth mark is written.

Before it, an attempt may be thrown away. After it, the seeds may hold what clients were told is
kept, and whoever was killed before Pulumi knew of the birth must find that out: a note in the
Secret of the bootstrap, written before the mark, says that there may be one.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from typing import TypeVar

from components.birth import current, gates
from components.birth.tokens import Token
from components.etcd.cluster import Cluster
from components.etcd.lock import Lock
from components.kube.client import Kube
from components.kube.errors import ExecError
from components.kube.pods import ready, running
from components.progress import Progress, SequenceError, Unmet
from containers.etcd.supervisor.birth_mark import BIRTH_KEY
from containers.etcd.supervisor.membership import View

T = TypeVar("T")

UNWRITTEN = 1
"""etcd's revision before the first write."""


def accept(kube: Kube, cluster: Cluster, token: Token, progress: Progress) -> Lock:
    """Write the birth mark: from here on clients and units are let in.

    Repeated until etcd has answered, always with the same mark: one whose answer was lost may
    stand there already. Raises SequenceError at the deadline, and where another run has got ahead.
    """
    # Another run would take a mark that it has not noted for none, and throw the seeds away with
    # what clients have written.
    current.require(kube, token.value)
    seeds = kube.site.seeds
    disks = gates.disks(kube.pods(seeds), kube.volumes(seeds))
    kube.write_secret(kube.site.discovery, {**token.secret, gates.NOTE: " ".join(sorted(disks))})
    born = int(time.time())

    def written() -> Lock | Unmet:
        view = cluster.view()
        if isinstance(view, Unmet):
            return view
        current.require(kube, token.value)
        mark = json.dumps(
            {
                "clusterId": f"{view.cluster_id:x}",
                "token": hashlib.sha256(token.value.encode()).hexdigest()[:16],
                "born": born,
            }
        )
        try:
            cluster.write_birth(mark)
            found = cluster.get(BIRTH_KEY)
        except ExecError as error:
            return Unmet(str(error))
        _require_own(found, mark, view)
        return _lock(view, mark) if found else Unmet("it is gone again")

    return progress.wait(
        "the birth mark to be written", lambda: _seen_to(kube, progress, written()), "pulumi up"
    )


def _require_own(found: str, mark: str, view: View) -> None:
    """Raise SequenceError where the cluster has another mark: another run of Pulumi has formed it,
    in the place of ours, or has accepted ours before us. What was let in knows that mark."""
    if found not in ("", mark):
        raise SequenceError(
            f"cluster {view.cluster_id:x} has another birth mark already, {found}: another "
            "pulumi up runs, or ran, beside this one",
            "pulumi up, once no other one runs: it goes on with that cluster",
        )


def accepted_earlier(kube: Kube, secret: Mapping[str, str], progress: Progress) -> Lock | None:
    """The cluster that an earlier run has accepted; None if there is none.

    `secret`: what that run has left, as `accept` has written it. Whoever may have been let in is
    waited for: no answer is no proof that there is nothing. Raises SequenceError at the deadline.
    """
    noted = gates.noted(secret)
    if not noted:
        return None

    def found() -> Lock | Unmet | None:
        told = marked(kube, _members(kube))
        if not isinstance(told, Unmet):
            return told
        if noted.isdisjoint(_disks(kube)):
            return None  # where nothing is left of what the data lies on, nothing is of the data
        progress.say("an earlier run may have let clients in: waiting for its members")
        return _seen_to(kube, progress, told)

    return progress.wait(
        "an answer from the members of an earlier run",
        found,
        # `whole.require_whole` refuses a destroy that would keep the units' volumes.
        "bring its seeds back, then pulumi up; or, if what was written meanwhile may be lost, "
        "pulumi destroy (with etcd:storage.retain it names the volumes that are to go first), "
        "then pulumi up",
    )


def marked(kube: Kube, pods: Iterable[str]) -> Lock | Unmet | None:
    """The cluster of these members with its mark, Unmet if nobody can say.

    None if it was given to nobody: it has no mark, which is the first write, and no other one. A
    client can delete the mark like any key: then it is empty.
    """
    missing = Unmet("none of them runs")
    for pod in pods:
        cluster = Cluster(kube, [pod])
        try:
            birth = cluster.get(BIRTH_KEY)
        except ExecError as error:
            missing = Unmet(str(error))
            continue  # without a leader, or cut off: another member may answer
        view = cluster.view()
        if isinstance(view, Unmet):
            return view
        found = _lock(view, birth)
        return found if birth or found.revision > UNWRITTEN else None
    return missing


def _members(kube: Kube) -> list[str]:
    """A seed counts as soon as it runs, a unit when it is ready: before, it has nothing to say."""
    seeds = [p for p in kube.pods(kube.site.seeds) if running(p)]
    units = [p for p in kube.pods(kube.site.units) if ready(p)]
    return [p.metadata.name for p in [*units, *seeds]]


def _seen_to(kube: Kube, progress: Progress, found: T | Unmet) -> T | Unmet:
    """Return what was found; where it is missing, let seeds come back, and add what is amiss."""
    if not isinstance(found, Unmet):
        return found
    amiss = gates.see_to(kube, progress, kube.pods(kube.site.seeds))
    return Unmet("; ".join([found.reason, *amiss]))


def _disks(kube: Kube) -> set[str]:
    """All that data of seeds may lie on, by unique IDs: claims, and pods without such."""
    seeds = kube.site.seeds
    return {str(o.metadata.uid) for o in [*kube.pods(seeds), *kube.volumes(seeds)]}


def _lock(view: View, birth: str) -> Lock:
    return Lock(f"{view.cluster_id:x}", birth, max(s.revision for s in view.statuses.values()))
