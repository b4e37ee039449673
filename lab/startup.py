"""The order in which a lab comes to life: side by side whatever does not wait for another part."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import api, cgroups, controlplane, docker, health, images, kernel, network, node, processes
from lab.addresses import Addresses
from lab.certificates import create as create_certificates
from lab.controlplane import Programs
from lab.errors import Report
from lab.registry import start_registry
from lab.state import CHECKOUT, Lab, claim_slot


def start_all(lab: Lab, programs: Programs, pause: Path, report: Report) -> Addresses:
    """Start every part of a lab of which nothing exists; return when all of them answer."""
    began = time.monotonic()

    def tell(what: str) -> None:
        report(f"{what}, {time.monotonic() - began:.1f} s")

    addresses = claim_slot(lab, network.host_networks())
    kernel.save()
    lab.logs.mkdir()
    cgroups.create(addresses.kernel_name)
    network.create(lab, addresses)
    controlplane.start_etcd(lab, addresses, programs)
    with ThreadPoolExecutor() as pool:
        runtime = pool.submit(node.start_containerd, lab, addresses, programs, pause)
        engine = pool.submit(_start_docker, lab, addresses, programs, report)
        start_registry(lab, addresses, programs)
        create_certificates(lab, addresses, programs["kubeadm"])
        controlplane.start_apiserver(lab, addresses, programs)
        runtime.result()
        node.start_kubelet(lab, addresses, programs)
        client = api.connect(lab.admin_config)
        api.wait_ready(lab, client)
        tell(f"API server ready at {addresses.api_url}")
        controlplane.start_controllers(lab, addresses, programs)
        node.start_services(lab, addresses, programs)
        _start_agent(lab, addresses)
        api.create_first_objects(client)
        api.wait_node_ready(lab, client)
        tell("node ready")
        processes.wait(lab, "coredns", lambda: health.dns_problem(addresses), 20)
        processes.wait(lab, "registry", lambda: health.registry_problem(addresses), 20)
        engine.result()
        tell("DNS, registry and Docker Engine ready")
    return addresses


def _start_docker(lab: Lab, addresses: Addresses, programs: Programs, report: Report) -> None:
    processes.wait_for_file(lab, "containerd", lab.containerd_socket)
    docker.start_engine(lab, addresses, programs)
    images.load(f"unix://{lab.docker_socket}", report)


def _start_agent(lab: Lab, addresses: Addresses) -> None:
    argv = [sys.executable, "-m", "lab.agent", lab.name]
    processes.start(lab, addresses, "agent", argv, {"PYTHONPATH": str(CHECKOUT)})
