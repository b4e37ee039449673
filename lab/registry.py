"""The image registry of the lab: Debian's docker-registry in the lab's network namespace."""

import yaml

from lab.addresses import Addresses
from lab.controlplane import Programs
from lab.processes import start
from lab.state import Lab

REGISTRY_PORT = 5000


def start_registry(lab: Lab, addresses: Addresses, programs: Programs) -> None:
    """Start the registry.

    dockerd and containerd are in the same namespace, so `localhost:5000/NAME` means this registry
    to both, in every lab alike.
    """
    config = lab.state / "registry.yaml"
    config.write_text(registry_config(lab))
    argv = [programs["docker-registry"], "serve", config]
    start(lab, addresses, "registry", argv, {"OTEL_TRACES_EXPORTER": "none"})


def registry_config(lab: Lab) -> str:
    """Return the registry's configuration; deleting is on, so that tests can make an image gone."""
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(lab.state / "registry")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f":{REGISTRY_PORT}"},
    }
    return yaml.safe_dump(config, sort_keys=False)
