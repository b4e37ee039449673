"""What the lab's programs are told, and where it lets them write."""

import re
from pathlib import Path

import pytest
import yaml

from lab import certificates, controlplane, env, node, registry
from lab.addresses import Addresses
from lab.errors import LabError
from lab.state import Lab

LAB = Lab("t-unit", Path("/checkout"))
OTHER = Lab("t-unit", Path("/another/checkout"))
HERE = Addresses(3)

CNI = Path("/programs/cni")
CONFIGURATIONS = {
    "containerd": node.containerd_config(LAB, CNI),
    "cni": node.cni_config(LAB, HERE),
    "kubelet": node.kubelet_config(LAB, HERE),
    "kube-proxy": node.kube_proxy_config(LAB, HERE),
    "coredns": node.coredns_config(LAB, HERE),
    "kubeadm": certificates.kubeadm_config(LAB, HERE),
    "apiserver": "\n".join(controlplane.apiserver_flags(LAB, HERE)),
    "controllers": "\n".join(controlplane.controller_manager_flags(LAB, HERE)),
    "scheduler": controlplane.scheduler_config(LAB),
    "registry": registry.registry_config(LAB),
}


@pytest.mark.parametrize("program", CONFIGURATIONS)
def test_every_path_given_to_a_program_is_in_the_labs_state(program: str) -> None:
    paths = re.findall(
        r"""(?<![\w./:-])/[\w./-]{4,}|(?<=unix://)/[\w./-]+""", CONFIGURATIONS[program]
    )
    cgroup_root = f"/{HERE.kernel_name}"
    strays = [p for p in paths if not Path(p).is_relative_to(LAB.state)]
    assert set(strays) <= {str(CNI), cgroup_root}


@pytest.mark.parametrize("program", CONFIGURATIONS)
def test_every_private_address_given_to_a_program_is_of_the_labs_slot(program: str) -> None:
    found = re.findall(r"\b10\.(\d+)\.\d+\.\d+", CONFIGURATIONS[program])
    assert set(found) <= {"203"}


@pytest.mark.parametrize("program", ["cni", "kubelet", "kube-proxy", "kubeadm", "registry"])
def test_configurations_are_well_formed(program: str) -> None:
    parsed = list(yaml.safe_load_all(CONFIGURATIONS[program]))
    assert all(isinstance(document, dict) for document in parsed)


def test_the_same_name_in_two_checkouts_means_two_labs() -> None:
    assert LAB.state != OTHER.state
    assert LAB.files != OTHER.files


def test_sockets_fit_into_a_socket_address() -> None:
    longest = Lab("a" * 16).state / "docker" / "containerd" / "containerd.sock.ttrpc"
    assert len(str(longest)) < 107


@pytest.mark.parametrize("name", ["", "-x", "UPPER", "a/b", "..", "a" * 17, "bin", "state-backend"])
def test_a_name_that_cannot_be_a_folder_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(LabError, match=r"Next: "):
        Lab(name)


def test_people_get_a_context_of_one_name_with_the_certificates_inside() -> None:
    admin = {
        "clusters": [{"name": "kubernetes", "cluster": {"server": "https://10.203.0.1:6443"}}],
        "users": [{"name": "kubernetes-super-admin", "user": {"client-key-data": "S0VZ"}}],
    }
    config = yaml.safe_load(env.kubeconfig(admin))
    assert config["current-context"] == "etcd-lab"
    assert config["contexts"] == [
        {"name": "etcd-lab", "context": {"cluster": "etcd-lab", "user": "etcd-lab"}}
    ]
    assert config["users"][0]["user"] == {"client-key-data": "S0VZ"}
