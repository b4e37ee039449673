"""The files for people in `.lab/`: kubeconfig, the shell environment, and wrappers."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from lab import pulumi_cli
from lab.addresses import Addresses
from lab.controlplane import Programs
from lab.state import Lab

CONTEXT = "etcd-lab"
COMMANDS = ("etcdctl", "etcdutl", "kubectl", "docker", "pulumi")
"""The programs that people call; `.lab/bin` has them and nothing that they did not ask for."""

_ELSEWHERE = (
    "DOCKER_CERT_PATH",
    "DOCKER_CONTEXT",
    "DOCKER_TLS_VERIFY",
    "ETCDCTL_CACERT",
    "ETCDCTL_CERT",
    "ETCDCTL_DISCOVERY_SRV",
    "ETCDCTL_ENDPOINTS",
    "ETCDCTL_KEY",
    "ETCDCTL_PASSWORD",
    "ETCDCTL_USER",
)
"""What leads etcdctl to an etcd of the user's, or Docker to another engine."""

_OURS = ("kubeconfig", "env", "logs", "bin", "gke", "state-backend", "pulumi-home")


def write(lab: Lab, addresses: Addresses, programs: Programs, pulumi: Mapping[str, str]) -> None:
    """Write everything in the lab's `.lab` folder.

    `pulumi` holds the variables with which the CLI finds its plugins.
    """
    binaries = lab.files / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    (lab.files / "state-backend").mkdir(exist_ok=True)
    _write(binaries / "etcdctl", etcdctl_wrapper(lab, programs), mode=0o755)
    for name in COMMANDS[1:]:
        _link(binaries / name, programs[name])
    _link(lab.files / "logs", lab.logs)
    _write(lab.files / "env", environment_file(lab, addresses, programs, pulumi))
    admin = yaml.safe_load(lab.admin_config.read_text())
    _write(lab.kubeconfig, kubeconfig(admin), mode=0o600)


def problem(lab: Lab) -> str:
    """Return what `write` would have to mend: files removed, a cache emptied, another SDK."""
    links = [lab.files / "bin" / name for name in COMMANDS]
    for path in (lab.kubeconfig, lab.files / "env", *links):
        if not path.exists():
            return f"{path} is missing"
    return pulumi_cli.home_problem(lab.files / "pulumi-home")


def remove(lab: Lab) -> None:
    """Remove what `write` made, and Pulumi's state with it: it describes a cluster that is gone."""
    for name in _OURS:
        path = lab.files / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    # Other labs keep their folders in the same place.
    with suppress(OSError):
        lab.files.rmdir()
        lab.files.parent.rmdir()


def kubeconfig(admin: dict[str, Any]) -> str:
    """Return kubeadm's kubeconfig under the names that people see."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": admin["clusters"][0]["cluster"]}],
        "users": [{"name": CONTEXT, "user": admin["users"][0]["user"]}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
    }
    return yaml.safe_dump(config, sort_keys=False)


def environment_file(
    lab: Lab, addresses: Addresses, programs: Programs, pulumi: Mapping[str, str]
) -> str:
    """Return the shell file after which plain `pulumi`, `kubectl` and `etcdctl` mean this lab."""
    folders = [lab.files / "bin", Path(sys.executable).parent]
    # The CLI finds its language hosts and providers in the folder that it is in itself.
    folders.append(programs["pulumi"].parent)
    settings = {
        "KUBECONFIG": lab.kubeconfig,
        "DOCKER_HOST": f"unix://{lab.docker_socket}",
        # Without the backend's side files, which are not written atomically: a `pulumi` killed at
        # the wrong moment would leave a state that cannot be read ("checkpoint: EOF").
        "PULUMI_BACKEND_URL": f"file://{lab.files / 'state-backend'}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": "lab",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        **pulumi,
    }
    lines = [f"export {key}={shlex.quote(str(value))}" for key, value in settings.items()]
    path = ":".join(shlex.quote(str(folder)) for folder in folders)
    lines.append(f"unset {' '.join(_ELSEWHERE)}")
    # Not through a proxy. Go reads the range; Python knows single addresses only.
    direct = f"{addresses.node},{addresses.all}"
    return "\n".join(
        [
            f"# For the lab named {lab.name}.",
            *lines,
            # Under both names, since either goes before the other somewhere.
            'NO_PROXY="${NO_PROXY:-${no_proxy:-}}"',
            f'export NO_PROXY="${{NO_PROXY:+$NO_PROXY,}}{direct}"',
            'export no_proxy="$NO_PROXY"',
            f"export PATH={path}:$PATH",
            "",
        ]
    )


def etcdctl_wrapper(lab: Lab, programs: Programs) -> str:
    """Return a script that points etcdctl at the Service `etcd` in namespace `etcd`."""
    kubectl, etcdctl = (shlex.quote(str(programs[name])) for name in ("kubectl", "etcdctl"))
    config = shlex.quote(str(lab.kubeconfig))
    address = f"{kubectl} --kubeconfig {config} -n etcd get service etcd"
    jsonpath = "-o jsonpath='http://{.spec.clusterIP}:2379'"
    return (
        "#!/bin/sh\n"
        # etcdctl refuses the variable and the flag together.
        'case " $* " in *" --endpoints"*) ;; *)\n'
        f'export ETCDCTL_ENDPOINTS="${{ETCDCTL_ENDPOINTS:-$({address} {jsonpath})}}" ;; esac\n'
        f'exec {etcdctl} "$@"\n'
    )


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text)
    path.chmod(mode)


def _link(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
