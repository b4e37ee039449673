"""GKE's cluster: `gcp:container/cluster:Cluster`.

Sources: schema and documentation of google_container_cluster (names, what forces a new one,
conflicts), the request that the provider makes of it, container.v1.
"""

import ipaddress
import re
from typing import Any

from lab.plugins.gcp.labels import label_outputs
from lab.plugins.gcp.paths import find, value_at
from lab.plugins.gcp.patterns import (
    CIDR,
    CIDR_OR_SIZE,
    CLUSTER_NAME,
    CONTAINER,
    EMAIL,
    KEY,
    PLACE,
    PROJECT,
    TIME,
)
from lab.plugins.gcp.resource import (
    FLAG,
    NOT_SENT,
    VERSION,
    Inputs,
    Pattern,
    Problem,
    ResourceType,
    Surroundings,
    Table,
    To,
    of,
    same,
)
from lab.plugins.unknown import is_unknown

_IP_ENDPOINTS = "controlPlaneEndpointsConfig.ipEndpointsConfig"
_NETWORKS = f"{_IP_ENDPOINTS}.authorizedNetworksConfig"

_TABLE: Table = {
    "name": "name",
    "project": NOT_SENT,
    "location": NOT_SENT,
    "deletionProtection": NOT_SENT,
    "deletionPolicy": NOT_SENT,
    "removeDefaultNodePool": NOT_SENT,
    "datapathProvider": "networkConfig.datapathProvider",
    "description": "description",
    "enableAutopilot": "autopilot.enabled",
    "enableIntranodeVisibility": "networkConfig.enableIntraNodeVisibility",
    "enableLegacyAbac": "legacyAbac.enabled",
    "enableShieldedNodes": "shieldedNodes.enabled",
    "initialNodeCount": "initialNodeCount",
    "network": "network",
    "networkingMode": To("ipAllocationPolicy.useIpAliases", {"VPC_NATIVE": True, "ROUTES": False}),
    "resourceLabels": "resourceLabels",
    "subnetwork": "subnetwork",
    **same("anonymousAuthenticationConfig", "mode"),
    **same("costManagementConfig", "enabled"),
    **same("databaseEncryption", "state", "keyName"),
    **same("rbacBindingConfig", "enableInsecureBindingSystemAuthenticated"),
    **same("rbacBindingConfig", "enableInsecureBindingSystemUnauthenticated"),
    **same("releaseChannel", "channel"),
    **same("securityPostureConfig", "mode"),
    **same("serviceExternalIpsConfig", "enabled", to="networkConfig.serviceExternalIpsConfig"),
    **same("workloadIdentityConfig", "workloadPool"),
    **same("masterAuth.clientCertificateConfig", "issueClientCertificate"),
    # How the control plane is reached: the provider's older inputs, the API's newer fields.
    **same("controlPlaneEndpointsConfig", "dnsEndpointConfig.allowExternalTraffic"),
    "privateClusterConfig.enablePrivateNodes": "networkConfig.defaultEnablePrivateNodes",
    "privateClusterConfig.enablePrivateEndpoint": To(
        f"{_IP_ENDPOINTS}.enablePublicEndpoint", {True: False, False: True}
    ),
    **same(
        "masterAuthorizedNetworksConfig",
        "cidrBlocks[].cidrBlock",
        "cidrBlocks[].displayName",
        "gcpPublicCidrsAccessEnabled",
        "privateEndpointEnforcementEnabled",
        to=_NETWORKS,
    ),
    **same(
        "ipAllocationPolicy",
        "clusterIpv4CidrBlock",
        "clusterSecondaryRangeName",
        "servicesSecondaryRangeName",
    ),
    # What it tells, and when it may be changed.
    "loggingConfig.enableComponents": "loggingConfig.componentConfig.enableComponents",
    "monitoringConfig.enableComponents": "monitoringConfig.componentConfig.enableComponents",
    **same(
        "monitoringConfig.managedPrometheus",
        "enabled",
        to="monitoringConfig.managedPrometheusConfig",
    ),
    "maintenancePolicy.dailyMaintenanceWindow.startTime": (
        "maintenancePolicy.window.dailyMaintenanceWindow.startTime"
    ),
    "maintenancePolicy.recurringWindow.startTime": (
        "maintenancePolicy.window.recurringWindow.window.startTime"
    ),
    "maintenancePolicy.recurringWindow.endTime": (
        "maintenancePolicy.window.recurringWindow.window.endTime"
    ),
    "maintenancePolicy.recurringWindow.recurrence": (
        "maintenancePolicy.window.recurringWindow.recurrence"
    ),
    # Add-ons, and the nodes that Autopilot makes.
    **same("addonsConfig", "gcePersistentDiskCsiDriverConfig.enabled"),
    "nodePoolAutoConfig.nodeKubeletConfig.insecureKubeletReadonlyPortEnabled": To(
        "nodePoolAutoConfig.nodeKubeletConfig.insecureKubeletReadonlyPortEnabled", FLAG
    ),
    "nodePoolDefaults.nodeConfigDefaults.insecureKubeletReadonlyPortEnabled": To(
        "nodePoolDefaults.nodeConfigDefaults.nodeKubeletConfig.insecureKubeletReadonlyPortEnabled",
        FLAG,
    ),
    "clusterAutoscaling.autoProvisioningDefaults.serviceAccount": (
        "autoscaling.autoprovisioningNodePoolDefaults.serviceAccount"
    ),
    "clusterAutoscaling.autoProvisioningDefaults.oauthScopes": (
        "autoscaling.autoprovisioningNodePoolDefaults.oauthScopes"
    ),
    "clusterAutoscaling.autoProvisioningDefaults.bootDiskKmsKey": (
        "autoscaling.autoprovisioningNodePoolDefaults.bootDiskKmsKey"
    ),
}


def cluster_id(inputs: Inputs, around: Surroundings) -> str:
    project, place = of(inputs, "project", around.project), of(inputs, "location", around.region)
    return f"projects/{project}/locations/{place}/clusters/{inputs['name']}"


def _outputs(inputs: Inputs, id_: str, around: Surroundings) -> dict[str, Any]:
    return {
        "project": of(inputs, "project", around.project),
        "location": of(inputs, "location", around.region),
        "selfLink": f"https://container.googleapis.com/v1/{id_}",
        "endpoint": around.server,
        "masterVersion": VERSION,
        "masterAuth": {
            "clientCertificate": "",
            "clientKey": "",
            "clusterCaCertificate": around.certificate_authority,
        },
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"endpoint": around.server}},
        "privateClusterConfig": {"privateEndpoint": around.server, "publicEndpoint": around.server},
        **label_outputs(inputs.get("resourceLabels")),
    }


def _parents(inputs: Inputs, around: Surroundings) -> list[str]:
    """The network and subnetwork that are named in full; a bare name may be Google's own."""
    named = (re.search("projects/.*", of(inputs, key, "")) for key in ("network", "subnetwork"))
    return [found[0] for found in named if found and not found[0].endswith("/default")]


def _rules(inputs: Inputs) -> list[Problem]:
    problems: list[Problem] = []
    if not inputs.get("initialNodeCount") and not inputs.get("enableAutopilot"):
        why = "is not set; Google's API wants it greater than 0, even where the pool is removed"
        problems.append(("initialNodeCount", why))
    private = value_at(inputs, "privateClusterConfig.enablePrivateEndpoint")
    for path, block in find(inputs, "masterAuthorizedNetworksConfig.cidrBlocks[].cidrBlock"):
        if is_unknown(block) or not re.fullmatch(CIDR.expression, str(block)):
            continue
        try:
            network = ipaddress.ip_network(block)
        except ValueError as error:
            problems.append((path, f"is {block!r}: {error}"))
            continue
        if private is True and not network.is_private:
            why = "is not a reserved network, which is required for private endpoints"
            problems.append((path, f"is {block!r}, which {why}"))
    return problems


CLUSTER = ResourceType(
    token="gcp:container/cluster:Cluster",
    api=CONTAINER,
    schema="Cluster",
    table=_TABLE,
    identify=cluster_id,
    outputs=_outputs,
    permission="container.clusters",
    waiting="creating GKE cluster",
    required=(
        "name",
        "anonymousAuthenticationConfig.mode",
        "databaseEncryption.state",
        "loggingConfig.enableComponents",
        "masterAuth.clientCertificateConfig",
        "masterAuth.clientCertificateConfig.issueClientCertificate",
        "masterAuthorizedNetworksConfig.cidrBlocks[].cidrBlock",
        "maintenancePolicy.dailyMaintenanceWindow.startTime",
        "maintenancePolicy.recurringWindow.startTime",
        "maintenancePolicy.recurringWindow.endTime",
        "maintenancePolicy.recurringWindow.recurrence",
        "monitoringConfig.managedPrometheus.enabled",
        "releaseChannel.channel",
    ),
    patterns={
        "name": CLUSTER_NAME,
        "project": PROJECT,
        "location": PLACE,
        "databaseEncryption.keyName": KEY,
        "masterAuthorizedNetworksConfig.cidrBlocks[].cidrBlock": CIDR,
        "ipAllocationPolicy.clusterIpv4CidrBlock": CIDR_OR_SIZE,
        "maintenancePolicy.dailyMaintenanceWindow.startTime": TIME,
        "maintenancePolicy.recurringWindow.recurrence": Pattern("FREQ=.+", "an RRULE: FREQ=..."),
        "clusterAutoscaling.autoProvisioningDefaults.bootDiskKmsKey": KEY,
        "clusterAutoscaling.autoProvisioningDefaults.serviceAccount": EMAIL,
        "workloadIdentityConfig.workloadPool": Pattern(r".+\.svc\.id\.goog", "PROJECT.svc.id.goog"),
    },
    labels=("resourceLabels",),
    choices={
        "anonymousAuthenticationConfig.mode": ("ENABLED", "LIMITED"),
        "databaseEncryption.state": ("ENCRYPTED", "DECRYPTED"),
    },
    minima={"initialNodeCount": 0},
    conflicts=(
        ("enableShieldedNodes", "enableAutopilot"),
        ("removeDefaultNodePool", "enableAutopilot"),
        ("ipAllocationPolicy.clusterIpv4CidrBlock", "ipAllocationPolicy.clusterSecondaryRangeName"),
        # Not the provider's schema: the pair replaces the cluster on every run
        # (github.com/pulumi/pulumi-gcp/issues/744).
        ("nodeConfig", "removeDefaultNodePool"),
        ("nodeConfig", "enableAutopilot"),
    ),
    exactly_one={"maintenancePolicy": ("dailyMaintenanceWindow", "recurringWindow")},
    at_least_one={
        "privateClusterConfig": (
            "enablePrivateEndpoint",
            "enablePrivateNodes",
        )
    },
    immutable=(
        "name",
        "project",
        "location",
        "description",
        "enableAutopilot",
        "initialNodeCount",
        "ipAllocationPolicy.clusterIpv4CidrBlock",
        "ipAllocationPolicy.clusterSecondaryRangeName",
        "ipAllocationPolicy.servicesSecondaryRangeName",
        "masterAuth.clientCertificateConfig",
        "network",
        "networkingMode",
        "nodeConfig",
        "privateClusterConfig.enablePrivateNodes",
        "subnetwork",
    ),
    named="name",
    defaults={"deletionProtection": True},
    rules=_rules,
    parents=_parents,
)
