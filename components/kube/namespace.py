"""The sequence behind `Namespace`: makes it, looks whether it is the same, and ends it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from kubernetes.client import ApiException

from components.kube import denial, granting
from components.kube.claims import is_ours
from components.kube.client import Kube
from components.kube.contents import reason_to_stay
from components.kube.errors import UnreachableError, plain_errors, told_by
from components.kube.pods import ending
from components.progress import Progress, SequenceError, Unmet
from components.site import Site, kubectl

OWNER_LABEL = "etcd.pulumi.com/namespace-of"
"""On a namespace that this program made; its value is the stack."""

_DENIALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
"""Of a webhook that validates (Kyverno's), of a ValidatingAdmissionPolicy. Others answer with what
a missing right has, too, and are told by their words."""

DELETE_SECONDS = 120

MEMBERS_SECONDS = 20
"""How long members that are told to end together may take. One on a dead node never ends."""

LEAVE_UNREACHABLE = "PULUMI_K8S_DELETE_UNREACHABLE"
"""Variable by which Pulumi's Kubernetes plugin, too, gives up the objects of a cluster that it does
not reach."""


class AnotherNamespaceError(SequenceError):
    """What is there is not the namespace that the stack is in: by its unique ID, which no other
    cluster has for one of the same name."""

    def __init__(self, site: Site, *, there: bool) -> None:
        what = "is not the one" if there else "does not exist; there is one"
        super().__init__(
            f"namespace {site.namespace} of context {site.context} {what} that this stack is in: "
            "the kubeconfig leads to another Kubernetes cluster, or somebody has recreated it",
            "correct KUBECONFIG or etcd:kubernetes.kubeconfig, then pulumi up before anything "
            "else; if it is the same cluster, pulumi refresh, then pulumi up (docs/runbook.md: "
            "another Kubernetes cluster)",
        )


def make(site: Site, kubeconfig: str) -> str:
    """Return its unique ID when the namespace exists, and is not one that somebody is deleting.

    Raises SequenceError, too, where one that was made just now shows what could not be asked for
    without it, before anything is made in it.
    """
    with plain_errors(site):
        kube = Kube(kubeconfig, site, patient=False)
        look = ("get", "namespace", site.namespace, "-o", "yaml")
        made = Progress("namespace", DELETE_SECONDS).wait(
            f"namespace {site.namespace}",
            lambda: _made(kube),
            f"{kubectl(site.context, *look)}, to see what holds it",
        )
        if problem := granting.obstacle(kube):
            raise SequenceError(problem, "pulumi up, once that is mended")
    return str(made.metadata.uid)


def _made(kube: Kube) -> Any | Unmet:
    """Asked for first: whoever validates what is created is asked before Kubernetes says that it is
    there already, and may refuse what nobody wants to make."""
    found = kube.namespace() or _created(kube)
    if found is None or ending(found):
        return Unmet("the one that is there is being deleted")
    return found


def _created(kube: Kube) -> Any:
    """The one that is there if somebody was faster; None if that one has gone meanwhile."""
    site = kube.site
    labels = {OWNER_LABEL: site.stack, "app.kubernetes.io/managed-by": "pulumi"}
    try:
        return kube.core.create_namespace({"metadata": {"name": site.namespace, "labels": labels}})
    except ApiException as error:
        if error.status == HTTPStatus.CONFLICT:
            return kube.namespace()
        said = told_by(error)
        if not (error.status in _DENIALS or denial.is_told(said)):
            raise
        raise SequenceError(
            f"Kubernetes refuses to make namespace {site.namespace} (context {site.context}): "
            f"{said}",
            f"make namespace {site.namespace} as that asks for it, then pulumi up, which takes it "
            "as it is",
        ) from None


def is_gone(site: Site, kubeconfig: str, uid: str | None) -> bool:
    """Whether the namespace of that unique ID is there no more; None: it was not noted yet.

    Nothing is forgotten without a clear word: where nobody gives one it is not gone.
    """
    progress = Progress("namespace", timeout_seconds=0)
    try:
        with plain_errors(site):
            found = Kube(kubeconfig, site, patient=False).namespace()
    except SequenceError as error:
        progress.say(f"whether {site.namespace} is there is not known: {error.problem}")
        return False
    if _is_same(found, uid):
        return False
    progress.say(
        f"namespace {site.namespace} is gone, with all that was in it (docs/runbook.md: the "
        "namespace is gone)"
    )
    return True


def end(site: Site, props: Mapping[str, Any]) -> None:
    """End what is left of an interrupted bootstrap, then the namespace if it is ours.

    Volumes that are to be kept keep the namespace too, and so does anything of others in it.
    A cluster that is gone for good is given up where the environment says so. Raises SequenceError.
    """
    progress = Progress("namespace", DELETE_SECONDS)
    try:
        with plain_errors(site):
            _end(Kube(props["kubeconfig"], site, patient=False), props, progress)
    except UnreachableError as error:
        if os.environ.get(LEAVE_UNREACHABLE) != "true":
            raise UnreachableError(
                error.problem,
                f"{error.next_step}; if the cluster is gone for good, "
                f"{LEAVE_UNREACHABLE}=true pulumi destroy",
            ) from None
        progress.say(f"namespace {site.namespace} is left alone: {error.problem}")


def _end(kube: Kube, props: Any, progress: Progress) -> None:
    """What `end` does to a cluster that answers."""
    site = kube.site
    namespace = kube.namespace()
    if namespace is None:
        return
    if not _is_same(namespace, props.get("uid")):
        progress.say(f"namespace {site.namespace} is left alone: it is not this stack's any more")
        return
    if not kube.delete_secret(site.discovery):
        progress.say(f"Secret {site.discovery} stays: it is not labelled as of this stack")
    volumes = [c for c in kube.staying_volumes(site.units) if is_ours(site, c)]
    keep = bool(props["retain"]) and bool(volumes)
    labels = namespace.metadata.labels or {}
    goes = labels.get(OWNER_LABEL) == site.stack and not keep
    if goes:
        _let_members_end(kube, progress)
    if goes and (reason := reason_to_stay(kube)):
        progress.say(f"namespace {site.namespace} stays, {reason}")
        goes = False
    if goes:
        kube.core.delete_namespace(site.namespace)
    elif not keep:
        # Kubernetes itself deletes only those of the units that were left at the end, and
        # the next `up` would take the rest for a cluster that was kept.
        for claim in volumes:
            kube.delete_volume(claim)

    # Nobody would be there to delete a disk, once the cluster has gone.
    disks_go = bool(props.get("cluster_goes")) and not keep

    def gone() -> bool | Unmet:
        left = kube.disks(site.workloads) if disks_go else []
        left += _left(kube, goes=goes, keep=keep)
        return Unmet(f"still there: {', '.join(left)}") if left else True

    progress.wait(
        f"what is in namespace {site.namespace} to end",
        gone,
        site.kubectl("get", "all,pvc"),
        poll_seconds=0.3,
    )


def _let_members_end(kube: Kube, progress: Progress) -> None:
    """Wait until they have, for as long as they usually take.

    Kubernetes looks into a namespace 5 s after it is to go, and where a pod still ends then, again
    after half of its grace period, 31 s (kubernetes: namespace_controller.go, and
    namespaced_resources_deleter.go).
    """

    def ended() -> bool | Unmet:
        left = _members(kube)
        return Unmet(f"still there: {', '.join(left)}") if left else True

    with suppress(SequenceError):
        progress.wait("members to end", ended, "", poll_seconds=0.3, limit_seconds=MEMBERS_SECONDS)


def _members(kube: Kube) -> list[str]:
    return [p.metadata.name for w in kube.site.workloads for p in kube.pods(w)]


def require_same(site: Site, kubeconfig: str, uid: str) -> None:
    """Raise AnotherNamespaceError where the namespace that is reached has not this unique ID, and
    SequenceError where nobody says."""
    with plain_errors(site):
        found = Kube(kubeconfig, site, patient=False).namespace()
    if not _is_same(found, uid):
        raise AnotherNamespaceError(site, there=found is not None)


def _is_same(found: Any | None, uid: str | None) -> bool:
    """Whether this is the namespace of that unique ID; None: it was not noted yet. Pure."""
    return found is not None and uid in (None, found.metadata.uid)


def _left(kube: Kube, *, goes: bool, keep: bool) -> list[str]:
    """What must end still: the namespace if it goes, else what is ours in it."""
    site = kube.site
    if goes:
        return [f"namespace {site.namespace}"] if kube.namespace() else []
    left = _members(kube)
    if not keep:
        claims = [claim for workload in site.workloads for claim in kube.volumes(workload)]
        left += [claim.metadata.name for claim in claims if is_ours(site, claim)]
    return left
