"""Loads the same plugins and SDKs as the product's program, and declares nothing else."""

from typing import Any

import pulumi_docker
import pulumi_kubernetes
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class _Nothing(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_="nothing", outs=props)


pulumi_kubernetes.Provider("kubernetes")
pulumi_docker.Provider("docker")
# Starts the plugin of dynamic resources.
Resource(_Nothing(), "dynamic", {})
