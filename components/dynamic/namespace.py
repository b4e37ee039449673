"""Dynamic resource `Namespace`: there when it is needed, gone only if it is ours alone.

Not a Kubernetes resource of Pulumi's: that one refuses a namespace that exists, and would delete
one that holds retained volumes, and anything else that somebody put there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult
from pulumi.output import Unknown

from components.dynamic.progress import SequenceError
from components.dynamic.provider import Sequence
from components.dynamic.site import Site

if TYPE_CHECKING:
    from components.dynamic.kube import Kube
    from components.dynamic.progress import Progress

OWNER_LABEL = "etcd.pulumi.com/namespace-of"
"""On a namespace that this program made; its value is the stack."""

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
            "the kubeconfig leads to another Kubernetes cluster, or somebody has made it anew",
            "correct KUBECONFIG or etcd:kubernetes.kubeconfig, then pulumi up before anything "
            "else; if it is the same cluster, pulumi refresh, then pulumi up (docs/runbook.md: "
            "another Kubernetes cluster)",
        )


class NamespaceProvider(Sequence):
    """Creates the namespace if it is missing; deletes it with the stack if it made it."""

    # `delete` works with what the state has: names as of now, credentials that are still good.
    inputs = ("site", "kubeconfig", "retain")

    def diff(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> DiffResult:
        """Work, too, where its unique ID was not noted yet.

        Raises AnotherNamespaceError, so in a preview before anything is touched. Where the way
        there has changed and is not known yet, or nobody answers, the work itself will say so.
        """
        changed, uid = self.changed(_olds, _news), _olds.get("uid")
        known = not isinstance(_news["kubeconfig"], Unknown)
        if uid and known and {"site", "kubeconfig"}.intersection(changed):
            try:
                _require_same(_news, uid)
            except AnotherNamespaceError:
                raise
            except SequenceError:
                pass
        return DiffResult(changes=bool(changed) or not uid)

    def update(self, _id: str, _olds: Mapping[str, Any], _news: Mapping[str, Any]) -> UpdateResult:
        """As `create`, in the same namespace. Raises AnotherNamespaceError."""
        if uid := _olds.get("uid"):
            _require_same(_news, uid)
        return super().update(_id, _olds, _news)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return when the namespace exists, and is not one that somebody is deleting."""
        from kubernetes.client import ApiException  # noqa: PLC0415 - kubernetes is heavy

        from components.dynamic.kube import Kube, plain_errors  # noqa: PLC0415
        from components.dynamic.progress import Progress, Unmet  # noqa: PLC0415

        site = Site.of(props)
        labels = {OWNER_LABEL: site.stack, "app.kubernetes.io/managed-by": "pulumi"}
        with plain_errors(site):
            kube = Kube(props["kubeconfig"], site, patient=False)

            def made() -> Any | Unmet:
                try:
                    return kube.core.create_namespace(
                        {"metadata": {"name": site.namespace, "labels": labels}}
                    )
                except ApiException as error:
                    # 403: a user who may work in a namespace but not make one.
                    if error.status not in (403, 409):
                        raise
                    found = kube.namespace()
                    if found is None and error.status == 403:
                        raise
                    if found is None or found.metadata.deletion_timestamp is not None:
                        return Unmet("the one that is there is being deleted")
                    return found

            namespace = Progress("namespace", DELETE_SECONDS).wait(
                f"namespace {site.namespace}",
                made,
                f"kubectl get namespace {site.namespace} -o yaml, to see what holds it",
            )
        return CreateResult(id_=site.namespace, outs={**props, "uid": namespace.metadata.uid})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Notice in a refresh that the namespace is gone, so that the next `up` makes it again.

        A refresh forgets nothing without a clear word, and does not fail for want of one.
        """
        from components.dynamic.kube import Kube, plain_errors  # noqa: PLC0415 - heavy
        from components.dynamic.progress import Progress  # noqa: PLC0415

        site = Site.of(props)
        progress = Progress("namespace", timeout_seconds=0)
        try:
            with plain_errors(site):
                found = Kube(props["kubeconfig"], site, patient=False).namespace()
            gone = not _is_same(found, props.get("uid"))
        except SequenceError as error:
            progress.say(f"whether {site.namespace} is there is not known: {error.problem}")
            gone = False
        if not gone:
            return ReadResult(id_, props)
        progress.say(
            f"namespace {site.namespace} is gone, with all that was in it (docs/runbook.md: the "
            "namespace is gone)"
        )
        # An empty ID means gone to the engine; without outputs the SDK would fail.
        return ReadResult("", {})

    def delete(self, _id: str, _props: Any) -> None:
        """End what is left of an interrupted bootstrap, then the namespace if it is ours.

        Volumes that are to be kept keep the namespace too, and so does anything of others in it.
        A cluster that is gone for good is given up where the environment says so.
        """
        from components.dynamic.kube import Kube, UnreachableError, plain_errors  # noqa: PLC0415
        from components.dynamic.progress import Progress  # noqa: PLC0415

        site = Site.of(_props)
        progress = Progress("namespace", DELETE_SECONDS)
        try:
            with plain_errors(site):
                _end(Kube(_props["kubeconfig"], site, patient=False), _props, progress)
        except UnreachableError as error:
            if os.environ.get(LEAVE_UNREACHABLE) != "true":
                raise UnreachableError(
                    error.problem,
                    f"{error.following}; if the cluster is gone for good, "
                    f"{LEAVE_UNREACHABLE}=true pulumi destroy",
                ) from None
            progress.say(f"namespace {site.namespace} is left alone: {error.problem}")


def _end(kube: Kube, props: Any, progress: Progress) -> None:
    """What `delete` does to a cluster that answers."""
    from components.dynamic.contents import reason_to_stay  # noqa: PLC0415 - heavy
    from components.dynamic.progress import Unmet  # noqa: PLC0415

    site = kube.site
    namespace = kube.namespace()
    if namespace is None:
        return
    if not _is_same(namespace, props.get("uid")):
        progress.say(f"namespace {site.namespace} is left alone: it is not this stack's any more")
        return
    if not kube.delete_secret(site.discovery):
        progress.say(f"Secret {site.discovery} stays: it is not labelled as of this stack")
    volumes = kube.staying_volumes(site.units)
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
            kube.delete_volume(claim.metadata.name)

    # Nobody would be there to delete a disk, once the cluster has gone.
    disks_go = bool(props.get("cluster_goes")) and not keep

    def gone() -> bool | Unmet:
        left = kube.disks(site.workloads) if disks_go else []
        left += _left(kube, goes=goes, keep=keep)
        return Unmet(f"still there: {', '.join(left)}") if left else True

    progress.wait(
        f"what is in namespace {site.namespace} to end",
        gone,
        f"kubectl get all,pvc -n {site.namespace}",
        poll_seconds=0.3,
    )


def _let_members_end(kube: Kube, progress: Progress) -> None:
    """Wait until they have, for as long as they usually take.

    Kubernetes looks into a namespace 5 s after it is to go, and where a pod still ends then, again
    after half of its grace period, 31 s (kubernetes: namespace_controller.go, and
    namespaced_resources_deleter.go).
    """
    from components.dynamic.progress import Unmet  # noqa: PLC0415 - heavy

    def ended() -> bool | Unmet:
        left = _members(kube)
        return Unmet(f"still there: {', '.join(left)}") if left else True

    with suppress(SequenceError):
        progress.wait("members to end", ended, "", 0.3, limit_seconds=MEMBERS_SECONDS)


def _members(kube: Kube) -> list[str]:
    return [p.metadata.name for w in kube.site.workloads for p in kube.pods(w)]


def _require_same(props: Mapping[str, Any], uid: str) -> None:
    """Raise AnotherNamespaceError where the namespace that is reached has not this unique ID."""
    from components.dynamic.kube import Kube, plain_errors  # noqa: PLC0415 - heavy

    site = Site.of(props)
    with plain_errors(site):
        found = Kube(props["kubeconfig"], site, patient=False).namespace()
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
        left += [c.metadata.name for w in site.workloads for c in kube.volumes(w)]
    return left


class Namespace(Resource, module="etcd", name="Namespace"):
    """The namespace of the cluster.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Namespace``
    """

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: site, kubeconfig (secret), retain (volumes outlive the stack),
        cluster_goes (the Kubernetes cluster is of this stack and goes after the namespace)."""
        secret = pulumi.ResourceOptions(additional_secret_outputs=["kubeconfig"])
        super().__init__(
            NamespaceProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret)
        )
