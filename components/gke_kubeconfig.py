"""The kubeconfig of a GKE cluster: a pure function of what the cluster says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.preflight.google_apis import PLUGIN


def kubeconfig(context: str, cluster: Mapping[str, Any], *, public: bool) -> str:
    """Return a kubeconfig with one context, as JSON, which is YAML. It holds no credentials.

    `cluster`: the outputs endpoint, masterAuth and controlPlaneEndpointsConfig. `public`: by the
    IP address, whose certificate the cluster's own authority has signed; else by the DNS name,
    whose certificate is Google's and known to every machine.
    """
    if public:
        authority = cluster["masterAuth"]["clusterCaCertificate"]
        server = {
            "server": f"https://{cluster['endpoint']}",
            "certificate-authority-data": authority,
        }
    else:
        dns = cluster["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]
        server = {"server": f"https://{dns['endpoint']}"}
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": PLUGIN,
            "installHint": f"gcloud components install {PLUGIN}",
            "provideClusterInfo": True,
            "interactiveMode": "Never",
        }
    }
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "clusters": [{"name": context, "cluster": server}],
        "users": [{"name": context, "user": user}],
    }
    return json.dumps(whole, sort_keys=True)
