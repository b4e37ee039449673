"""The moment from which a cluster is given to clients and units: its birth mark is written.

Before it, an attempt may be thrown away. After it, the seeds may hold what clients were told is
kept, and whoever was killed before Pulumi knew of the birth must find that out: a note in the
Secret of the bootstrap, written before the mark, says that there may be one.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping

from components.dynamic.bootstrap import with_troubles
from components.dynamic.cluster import Cluster
from components.dynamic.kube import ExecError, Kube
from components.dynamic.lock import Lock
from components.dynamic.pods import ready, running
from components.dynamic.progress import Progress, Unmet
from components.dynamic.tokens import Token
from containers.etcd.supervisor.birth import BIRTH_KEY
from containers.etcd.supervisor.membership import View

_NOTE = "accepted"
"""Key of the Secret: what the seeds' data lies on. Where none of it is left, nothing is."""


def accept(kube: Kube, cluster: Cluster, token: Token, progress: Progress) -> Lock:
    """Write the birth mark: from here on clients and units are let in.

    Repeated until etcd has answered, always with the same mark: one whose answer was lost may
    stand there already. Raises SequenceError at the deadline.
    """
    kube.write_secret(kube.site.discovery, {**token.secret, _NOTE: " ".join(sorted(_disks(kube)))})
    born = int(time.time())

    def written() -> Lock | Unmet:
        view = cluster.view()
        if isinstance(view, Unmet):
            return view
        mark = {
            "clusterId": f"{view.cluster_id:x}",
            "token": hashlib.sha256(token.value.encode()).hexdigest()[:16],
            "born": born,
        }
        try:
            cluster.put(BIRTH_KEY, json.dumps(mark))
        except ExecError as error:
            return Unmet(str(error))
        return _lock(view, json.dumps(mark))

    return progress.wait(
        "the birth mark to be written", lambda: with_troubles(kube, written()), "pulumi up"
    )


def accepted_earlier(kube: Kube, secret: Mapping[str, str], progress: Progress) -> Lock | None:
    """The cluster that an earlier run has accepted; None if there is none.

    `secret`: what that run has left, as `accept` has written it. Whoever may have been let in is
    waited for: no answer is no proof that there is nothing. Raises SequenceError at the deadline.
    """
    noted = secret.get(_NOTE, "").split()
    if not noted:
        return None
    site = kube.site

    def found() -> Lock | Unmet | None:
        kept = not _disks(kube).isdisjoint(noted)
        if kept:
            # A pod that was made anew meanwhile is held again, with its data on its claim.
            kube.release(kube.pods(site.seeds))
        marked = _marked(kube)
        if not isinstance(marked, Unmet):
            return marked
        if not kept:
            return None
        progress.say("an earlier run may have let clients in: waiting for its members")
        return with_troubles(kube, marked)

    return progress.wait(
        "an answer from the members of an earlier run",
        found,
        "bring its seeds back, then pulumi up; or, if what was written meanwhile may be lost, "
        "pulumi destroy, then pulumi up",
    )


def _marked(kube: Kube) -> Lock | Unmet | None:
    """The cluster with its mark, None if it has none, Unmet if nobody can say so.

    A seed counts as soon as it runs, a unit when it is ready: before, it has nothing to say.
    """
    seeds = [p for p in kube.pods(kube.site.seeds) if running(p)]
    units = [p for p in kube.pods(kube.site.units) if ready(p)]
    missing = Unmet("none of them runs")
    for pod in [*units, *seeds]:
        cluster = Cluster(kube, [pod.metadata.name])
        try:
            birth = cluster.get(BIRTH_KEY)
        except ExecError as error:
            missing = Unmet(str(error))
            continue  # without a leader, or cut off: another member may answer
        view = cluster.view() if birth else None
        return _lock(view, birth) if isinstance(view, View) else view
    return missing


def _disks(kube: Kube) -> set[str]:
    """What the seeds' data lies on, by unique IDs: their claims, or their pods without such."""
    seeds = kube.site.seeds
    return {str(o.metadata.uid) for o in [*kube.pods(seeds), *kube.volumes(seeds)]}


def _lock(view: View, birth: str) -> Lock:
    return Lock(f"{view.cluster_id:x}", birth, max(s.revision for s in view.statuses.values()))
