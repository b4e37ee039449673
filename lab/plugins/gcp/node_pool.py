"""GKE's node pool: `gcp:container/nodePool:NodePool`.

Sources: schema and documentation of google_container_node_pool, container.v1.
"""

from typing import Any

from lab.plugins.gcp.cluster import cluster_id
from lab.plugins.gcp.paths import value_at
from lab.plugins.gcp.patterns import (
    CLUSTER_NAME,
    CONTAINER,
    EMAIL,
    KEY,
    MACHINE_TYPE,
    PLACE,
    PROJECT,
)
from lab.plugins.gcp.resource import (
    NOT_SENT,
    VERSION,
    Inputs,
    Problem,
    ResourceType,
    Surroundings,
    Table,
    same,
)

_TABLE: Table = {
    "name": "name",
    "cluster": NOT_SENT,
    "project": NOT_SENT,
    "location": NOT_SENT,
    "deletionPolicy": NOT_SENT,
    # The API has it as the size of a resize; in the body it is what the pool begins with.
    "nodeCount": "initialNodeCount",
    # The program has none: it is named for what it conflicts with.
    "autoscaling.minNodeCount": "autoscaling.minNodeCount",
    **same("management", "autoRepair", "autoUpgrade"),
    **same("networkConfig", "enablePrivateNodes"),
    **same("upgradeSettings", "maxSurge", "maxUnavailable", "strategy"),
    **same(
        "nodeConfig",
        "bootDiskKmsKey",
        "diskSizeGb",
        "diskType",
        "imageType",
        "labels",
        "machineType",
        "metadata",
        "oauthScopes",
        "resourceLabels",
        "serviceAccount",
        "taints[].key",
        "taints[].value",
        "taints[].effect",
        "shieldedInstanceConfig.enableSecureBoot",
        "shieldedInstanceConfig.enableIntegrityMonitoring",
        "workloadMetadataConfig.mode",
        to="config",
    ),
}


def _identify(inputs: Inputs, around: Surroundings) -> str:
    return f"{_parents(inputs, around)[0]}/nodePools/{inputs['name']}"


def _outputs(inputs: Inputs, id_: str, around: Surroundings) -> dict[str, Any]:
    parts = id_.split("/")
    group = f"https://www.googleapis.com/compute/v1/projects/{parts[1]}/zones/ZONE"
    return {
        "project": parts[1],
        "location": parts[3],
        "version": VERSION,
        "instanceGroupUrls": [f"{group}/instanceGroupManagers/gke-{inputs['name']}-grp"],
    }


def _parents(inputs: Inputs, around: Surroundings) -> list[str]:
    cluster = str(inputs["cluster"])
    if not cluster.startswith("projects/"):
        cluster = cluster_id({**inputs, "name": cluster}, around)
    account = value_at(inputs, "nodeConfig.serviceAccount")
    project = cluster.split("/")[1]
    own = account and str(account).endswith(f"@{project}.iam.gserviceaccount.com")
    return [cluster, *([f"projects/{project}/serviceAccounts/{account}"] if own else [])]


def _rules(inputs: Inputs) -> list[Problem]:
    surge, unavailable = (
        value_at(inputs, f"upgradeSettings.{name}") for name in ("maxSurge", "maxUnavailable")
    )
    if surge == 0 and not unavailable:
        return [("upgradeSettings", "maxSurge and maxUnavailable cannot both be 0")]
    return []


NODE_POOL = ResourceType(
    token="gcp:container/nodePool:NodePool",
    api=CONTAINER,
    schema="NodePool",
    table=_TABLE,
    identify=_identify,
    outputs=_outputs,
    permission="container.clusters",
    error="error creating NodePool: {error}",
    waiting="creating GKE NodePool",
    required=(
        "name",
        "cluster",
        "nodeConfig.taints[].key",
        "nodeConfig.taints[].value",
        "nodeConfig.taints[].effect",
        "nodeConfig.workloadMetadataConfig.mode",
    ),
    patterns={
        "name": CLUSTER_NAME,
        "project": PROJECT,
        "location": PLACE,
        "nodeConfig.bootDiskKmsKey": KEY,
        "nodeConfig.serviceAccount": EMAIL,
        "nodeConfig.machineType": MACHINE_TYPE,
    },
    labels=("nodeConfig.resourceLabels",),
    choices={
        "upgradeSettings.strategy": ("SURGE", "BLUE_GREEN"),
        "nodeConfig.taints[].effect": ("NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"),
    },
    minima={
        "nodeCount": 0,
        "upgradeSettings.maxSurge": 0,
        "upgradeSettings.maxUnavailable": 0,
        "nodeConfig.diskSizeGb": 10,
    },
    conflicts=(
        # Documented as "should not be used alongside": each run would undo the autoscaler's work.
        ("nodeCount", "autoscaling"),
    ),
    immutable=(
        "name",
        "project",
        "location",
        "cluster",
        "nodeConfig.bootDiskKmsKey",
        "nodeConfig.metadata",
        "nodeConfig.oauthScopes",
        "nodeConfig.serviceAccount",
        "nodeConfig.shieldedInstanceConfig",
    ),
    named="name",
    rules=_rules,
    parents=_parents,
)
