"""Dynamic resource `Namespace`: there when it is needed, gone only if it is ours and empty of data.

Not a Kubernetes resource of Pulumi's: that one refuses a namespace that exists, and would delete
one that holds retained volumes, and anything else that somebody put there.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, Resource

from components.dynamic.provider import Sequence
from components.dynamic.site import Site

OWNER_LABEL = "etcd.pulumi.com/namespace-of"
"""On a namespace that this program made; its value is the stack."""

DELETE_SECONDS = 120


class NamespaceProvider(Sequence):
    """Creates the namespace if it is missing; deletes it with the stack if it made it."""

    # `delete` works with what the state has: names as of now, credentials that are still good.
    inputs = ("site", "kubeconfig", "retain")

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return when the namespace exists, and is not one that somebody is deleting."""
        from kubernetes.client import ApiException  # noqa: PLC0415 - kubernetes is heavy

        from components.dynamic.kube import Kube, plain_errors  # noqa: PLC0415
        from components.dynamic.progress import Progress, Unmet  # noqa: PLC0415

        site = Site.of(props)
        labels = {OWNER_LABEL: site.stack, "app.kubernetes.io/managed-by": "pulumi"}
        with plain_errors(site):
            kube = Kube(props["kubeconfig"], site, patient=False)

            def made() -> bool | Unmet:
                try:
                    kube.core.create_namespace(
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
                return True

            Progress("namespace", DELETE_SECONDS).wait(
                f"namespace {site.namespace}",
                made,
                f"kubectl get namespace {site.namespace} -o yaml, to see what holds it",
            )
        return CreateResult(id_=site.namespace, outs=props)

    def delete(self, _id: str, _props: Any) -> None:
        """End what is left of an interrupted bootstrap, then the namespace if it is ours.

        Volumes that are to be kept keep the namespace too.
        """
        from components.dynamic.kube import Kube, plain_errors  # noqa: PLC0415 - heavy
        from components.dynamic.progress import Progress, Unmet  # noqa: PLC0415

        site = Site.of(_props)
        with plain_errors(site):
            kube = Kube(_props["kubeconfig"], site, patient=False)
            namespace = kube.namespace()
            if namespace is None:
                return
            kube.delete_secret(site.discovery)
            keep = bool(_props["retain"]) and bool(kube.volumes(site.units))
            labels = namespace.metadata.labels or {}
            ours = labels.get(OWNER_LABEL) == site.stack and not keep
            if ours:
                kube.core.delete_namespace(site.namespace)
            workloads = (site.units, site.seeds, site.discovery)

            # Nobody would be there to delete a disk, once the cluster has gone.
            disks_go = bool(_props.get("cluster_goes")) and not keep

            def gone() -> bool | Unmet:
                left = kube.disks(workloads) if disks_go else []
                if ours:
                    left += [f"namespace {site.namespace}"] if kube.namespace() else []
                    return Unmet(f"still there: {', '.join(left)}") if left else True
                left += [p.metadata.name for w in workloads for p in kube.pods(w)]
                if not keep:
                    # Kubernetes deletes the claims by itself after the StatefulSets are gone.
                    left += [c.metadata.name for w in workloads for c in kube.volumes(w)]
                return Unmet(f"still there: {', '.join(left)}") if left else True

            Progress("namespace", DELETE_SECONDS).wait(
                f"what is in namespace {site.namespace} to end",
                gone,
                f"kubectl get all,pvc -n {site.namespace}",
                poll_seconds=0.3,
            )


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
