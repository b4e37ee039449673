"""The second way to a Kubernetes cluster: make one, on GKE, with its registry.

Imported by stacks with `gke.create` alone, so that all others pay nothing for it.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.cluster import Cluster
from components.dynamic.requirements import Requirements
from components.gke import Gke
from components.gke_kubeconfig import kubeconfig
from components.network import Network
from components.preflight.google_apis import PLUGIN
from components.registry import Registry
from components.settings import GkeSettings, Settings
from components.settings.immutable import UNSET

_APIS = ("artifactregistry", "cloudresourcemanager", "compute", "container", "iam")
"""Of googleapis.com. cloudresourcemanager: the role of the nodes' account is the project's."""


def make(settings: Settings) -> Cluster:
    """Declare the cluster, in the order in which it comes to life."""
    gke = settings.gke
    name = gke.cluster_name or ""
    requirements = Requirements("requirements", required(settings))
    after = pulumi.ResourceOptions(depends_on=[requirements])
    network = Network(name, gke, after)
    made = Gke(name, gke, network, after)
    registry = None if settings.image.registry else Registry(name, gke, made.account, after)
    text = pulumi.Output.secret(_kubeconfig(gke, made))
    needs = [made.nodes, *([registry.readable] if registry else [])]
    provider = k8s.Provider(
        "kubernetes",
        kubeconfig=text,
        context=gke.context,
        namespace=settings.kubernetes.namespace,
        # The place and the name: the endpoint is not known before the cluster is, and an unknown
        # identifier would plan to replace everything in it.
        cluster_identifier=gke.path,
        # A preview goes on without the cluster, and says so.
        skip_update_unreachable=True,
        # Nodes before pods; on the way down, pods before nodes.
        opts=pulumi.ResourceOptions(depends_on=needs),
    )
    return Cluster(
        provider=provider,
        context=gke.context,
        kubeconfig=text,
        registry=registry.uri if registry else settings.image.registry or "",
        needs=tuple(needs),
        # Whoever has named a context has its kubeconfig; this one nobody has yet.
        outputs={"context": gke.context, "kubeconfig": text},
    )


def required(settings: Settings) -> dict[str, Any]:
    """What has to be there before Google is asked, and what must not change afterwards."""
    gke = settings.gke
    apis = [*_APIS, *(["cloudkms"] if gke.kms_key else [])]
    fixed = {
        "gke.project": gke.project,
        "gke.region": gke.region,
        "gke.zone": gke.zone,
        "gke.clusterName": gke.cluster_name,
        "gke.autopilot": str(gke.autopilot).lower(),
        # Disks keep the key that they were made with.
        "gke.kmsKey": gke.kms_key,
    }
    return {
        "cluster": gke.path,
        "project": gke.project,
        "apis": [f"{name}.googleapis.com" for name in sorted(apis)],
        "programs": [PLUGIN, *(["docker"] if settings.image.build else [])],
        "fixed": {key: str(value or UNSET) for key, value in fixed.items()},
        # Any other machine of the same platform may come.
        "nodes": {"machine_type": gke.machine_type, "platform": gke.platform},
    }


def _kubeconfig(gke: GkeSettings, made: Gke) -> pulumi.Output[str]:
    keys = ("endpoint", "masterAuth", "controlPlaneEndpointsConfig")
    # The ID makes it unknown as a whole in the preview of a cluster that is not there; what of an
    # endpoint is known then depends on the plugin.
    known = {key: made.cluster.output(key) for key in keys}
    outputs = pulumi.Output.all(id=made.cluster.id, **known)
    public = bool(gke.authorized_networks)

    def render(found: dict[str, Any]) -> str:
        return kubeconfig(gke.context, found, public=public)

    return outputs.apply(render)
