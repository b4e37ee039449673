"""What the lab's programs are told, and where it lets them write."""

import re
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from lab import certificates, controlplane, env, node, registry
from lab.addresses import Addresses
from lab.archive import Image
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


def shell(tmp_path: Path, command: str, **variables: str) -> str:
    """What a command says in the lab's shell."""
    file = tmp_path / "env"
    file.write_text(env.environment_file(LAB, HERE, {"pulumi": Path("/p/pulumi")}, {}))
    done = subprocess.run(
        ["sh", "-euc", f'. "$0"; {command}', str(file)],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_labs_shell_leads_to_no_etcd_and_no_docker_of_the_users(tmp_path: Path) -> None:
    """Or a first key would be put into whatever cluster ETCDCTL_ENDPOINTS names."""
    elsewhere = {
        "ETCDCTL_ENDPOINTS": "https://production:2379",
        "ETCDCTL_CACERT": "/ca.pem",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/certs",
    }
    names = shell(tmp_path, "env", **elsewhere).splitlines()
    assert not [line for line in names if line.split("=")[0] in elsewhere]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ({}, ""),
        ({"NO_PROXY": "a"}, "a,"),
        ({"no_proxy": "b"}, "b,"),
        ({"NO_PROXY": "a", "no_proxy": "b"}, "a,"),
    ],
)
def test_the_lab_is_reached_without_a_proxy_under_either_name(
    tmp_path: Path, before: dict[str, str], expected: str
) -> None:
    told = shell(tmp_path, 'echo "$NO_PROXY"; echo "$no_proxy"', **before).splitlines()
    assert told == [f"{expected}{HERE.node},{HERE.all}"] * 2


def test_an_image_can_be_read_and_run_whatever_the_umask_was(tmp_path: Path) -> None:
    made: list[str] = []
    for umask in (0o022, 0o077):
        files, target = tmp_path / f"files-{umask}", tmp_path / f"image-{umask}"
        target.mkdir()
        (files / "bin").mkdir(parents=True)
        for name, mode in (("bin/etcd", 0o777), ("passwd", 0o666)):
            (files / name).write_text(name)
            (files / name).chmod(mode & ~umask)
        (files / "bin").chmod(0o777 & ~umask)
        Image("x").write(files, target)
        made.append((target / "id").read_text())
    assert made[0] == made[1]
    with (
        tarfile.open(target / "image.tar") as image,
        tarfile.open(fileobj=image.extractfile("layer.tar")) as layer,
    ):
        modes = {entry.name: entry.mode for entry in layer}
    assert modes == {"bin": 0o755, "bin/etcd": 0o755, "passwd": 0o644}


def test_files_that_lead_nowhere_are_to_be_written_again(tmp_path: Path) -> None:
    """The programs are links into the cache, which may be emptied."""
    lab = Lab("t-unit", tmp_path)
    (lab.files / "bin").mkdir(parents=True)
    programs = {name: tmp_path / name for name in env.COMMANDS}
    for path in (lab.kubeconfig, lab.files / "env", *programs.values()):
        path.touch()
    for name, program in programs.items():
        (lab.files / "bin" / name).symlink_to(program)
    assert env.problem(lab) == ""
    # As it was before the plugin's version changed.
    plugins = lab.files / "pulumi-home" / "plugins"
    (plugins / "resource-kubernetes-v4.34.2+built.2.0.0").mkdir(parents=True)
    assert "/pulumi-resource-kubernetes is missing" in env.problem(lab)
    programs["kubectl"].unlink()
    assert env.problem(lab) == f"{lab.files / 'bin' / 'kubectl'} is missing"
