"""A Kubernetes API that is down for a while."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from lab import api, controlplane, processes, tools
from lab.state import Lab, read_addresses
from tests.faults.injection.pod_processes import kill


@contextmanager
def no_api_server(lab: Lab) -> Generator[None]:
    """Kill the lab's API server; start it again at the end, and wait for it and its node."""
    name = "kube-apiserver"
    (server,) = (p for p in processes.recorded(lab) if p.name == name and p.alive)
    kill(server.pid)
    processes.reap(lab)
    try:
        yield
    finally:
        addresses = read_addresses(lab)
        assert addresses is not None, "the lab is up"
        controlplane.start_apiserver(lab, addresses, tools.ensure([name]))
        client = api.connect(lab.admin_config)
        api.wait_ready(lab, client)
        # Else the next scenario begins on a node that takes no pods yet.
        api.wait_node_ready(lab, client)
