"""Keys, certificates and kubeconfigs of the lab's Kubernetes, made by kubeadm."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from lab.addresses import Addresses
from lab.errors import LabError
from lab.processes import inside
from lab.state import Lab
from lab.tools import KUBERNETES

NODE_NAME = "lab"


def kubeadm_config(lab: Lab, addresses: Addresses) -> str:
    """Return kubeadm's configuration: it only makes certificates and kubeconfigs here."""
    cluster = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": f"v{KUBERNETES.version}",
        "certificatesDir": str(lab.pki),
        "controlPlaneEndpoint": f"{addresses.node}:6443",
        # Made in a tenth of the time that RSA keys take.
        "encryptionAlgorithm": "ECDSA-P256",
        "networking": {"podSubnet": str(addresses.pods), "serviceSubnet": str(addresses.services)},
        # An external etcd, so that no certificates are made for it: it listens on loopback.
        "etcd": {"external": {"endpoints": ["http://127.0.0.1:2379"]}},
        "apiServer": {"certSANs": ["127.0.0.1", "localhost"]},
    }
    node = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": str(addresses.node)},
        "nodeRegistration": {"name": NODE_NAME, "criSocket": f"unix://{lab.containerd_socket}"},
    }
    return yaml.safe_dump_all([cluster, node], sort_keys=False)


def create(lab: Lab, addresses: Addresses, kubeadm: Path) -> None:
    """Make everything under `pki/` and the kubeconfigs `*.conf` in the state folder."""
    config = lab.state / "kubeadm.yaml"
    config.write_text(kubeadm_config(lab, addresses))
    _kubeadm(lab, addresses, [kubeadm, "init", "phase", "certs", "all", "--config", config])
    for_components = ["init", "phase", "kubeconfig", "all", "--kubeconfig-dir", lab.state]
    for_proxy = ["kubeconfig", "user", "--client-name", "system:kube-proxy"]
    with ThreadPoolExecutor() as pool:
        proxy = pool.submit(_kubeadm, lab, addresses, [kubeadm, *for_proxy, "--config", config])
        _kubeadm(lab, addresses, [kubeadm, *for_components, "--config", config])
        (lab.state / "kube-proxy.conf").write_text(proxy.result())


def _kubeadm(lab: Lab, addresses: Addresses, argv: list[str | Path]) -> str:
    done = subprocess.run(inside(lab, addresses, argv), capture_output=True, text=True, check=False)
    with (lab.logs / "kubeadm.log").open("a") as log:
        log.write(f"{argv[1:]}\n{done.stderr}\n")
    if done.returncode:
        raise LabError(
            f"kubeadm {argv[1]} failed with code {done.returncode}: {done.stderr.strip()}",
            f"read {lab.logs / 'kubeadm.log'}",
        )
    return done.stdout
