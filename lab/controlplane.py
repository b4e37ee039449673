"""etcd, API server, controller manager and scheduler of the lab.

Limits that keep one client from crowding out a big cluster are raised here: this cluster has one
user, and waiting for a rate limiter would be most of what a test measures.
"""

from collections.abc import Mapping
from pathlib import Path

import yaml

from lab.addresses import Addresses
from lab.processes import start
from lab.state import Lab

Programs = Mapping[str, Path]


def start_etcd(lab: Lab, addresses: Addresses, programs: Programs) -> None:
    """Start the control plane's own etcd on loopback, without fsync: `down` discards its data."""
    argv = [programs["etcd"], "--data-dir", lab.state / "etcd", "--unsafe-no-fsync"]
    start(lab, addresses, "etcd", [*argv, "--log-level=warn"])


def start_apiserver(lab: Lab, addresses: Addresses, programs: Programs) -> None:
    """Start the API server; certificates must be there."""
    flags = apiserver_flags(lab, addresses)
    start(lab, addresses, "kube-apiserver", [programs["kube-apiserver"], *flags])


def start_controllers(lab: Lab, addresses: Addresses, programs: Programs) -> None:
    """Start controller manager and scheduler; the API server must answer."""
    config = lab.state / "scheduler.yaml"
    config.write_text(scheduler_config(lab))
    flags = controller_manager_flags(lab, addresses)
    controllers = "kube-controller-manager"
    start(lab, addresses, controllers, [programs[controllers], *flags])
    start(lab, addresses, "kube-scheduler", [programs["kube-scheduler"], f"--config={config}"])


def apiserver_flags(lab: Lab, addresses: Addresses) -> list[str]:
    """Return the flags as kubeadm sets them, for a server with all its state in the lab."""
    pki = lab.pki
    return [
        "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={addresses.node}",
        f"--service-cluster-ip-range={addresses.services}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        f"--cert-dir={pki}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key",
    ]


def controller_manager_flags(lab: Lab, addresses: Addresses) -> list[str]:
    config, pki = lab.state / "controller-manager.conf", lab.pki
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--root-ca-file={pki}/ca.crt",
        f"--service-account-private-key-file={pki}/sa.key",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        f"--service-cluster-ip-range={addresses.services}",
        "--use-service-account-credentials",
        f"--flex-volume-plugin-dir={lab.state}/kubelet/volume-plugins",
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def scheduler_config(lab: Lab) -> str:
    """Return the scheduler's configuration, with the shortest back-off that it accepts."""
    config = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {
            "kubeconfig": str(lab.state / "scheduler.conf"),
            "qps": 200,
            "burst": 400,
        },
        "podInitialBackoffSeconds": 1,
        "podMaxBackoffSeconds": 1,
    }
    return yaml.safe_dump(config, sort_keys=False)
