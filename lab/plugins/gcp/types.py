"""The types of resources that the stand-in serves: those that the program declares."""

from lab.plugins.gcp.cluster import CLUSTER
from lab.plugins.gcp.identity import ACCOUNT, IAM_MEMBER
from lab.plugins.gcp.network import NETWORK, SUBNETWORK
from lab.plugins.gcp.node_pool import NODE_POOL
from lab.plugins.gcp.registry import REPOSITORY, REPOSITORY_IAM_MEMBER
from lab.plugins.gcp.resource import ResourceType

TYPES: dict[str, ResourceType] = {
    kind.token: kind
    for kind in (
        CLUSTER,
        NODE_POOL,
        ACCOUNT,
        IAM_MEMBER,
        REPOSITORY,
        REPOSITORY_IAM_MEMBER,
        NETWORK,
        SUBNETWORK,
    )
}
