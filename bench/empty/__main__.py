"""Loads the same plugins and SDKs as the product's program, and declares nothing else."""

from typing import Any

import pulumi_docker
import pulumi_kubernetes
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class _Nothing(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_="nothing", outs=props)


class _Dynamic(Resource, module="bench", name="Dynamic"):
    """Starts the plugin of dynamic resources."""


pulumi_kubernetes.Provider("kubernetes")
pulumi_docker.Provider("docker")
_Dynamic(_Nothing(), "dynamic", {})
