"""Take a lab apart, whatever is there of it: each step is fine with nothing to do."""

import socket
from contextlib import suppress
from pathlib import Path

from lab import cgroups, env, kernel, mounts, network, processes
from lab.state import Lab, is_only_lab, read_addresses, remove_state

_CNI_RESULTS = Path("/var/lib/cni/results")
_CONTAINER_LOGS = Path("/var/log/containers")
_DEVICE_SOCKET = Path("/var/lib/kubelet/device-plugins/kubelet.sock")
_SHIM_SOCKETS = Path("/run/containerd/s")
_FIXED_FOLDERS = (
    _CNI_RESULTS,
    _CNI_RESULTS.parent,
    _CONTAINER_LOGS,
    _DEVICE_SOCKET.parent,
    _DEVICE_SOCKET.parent.parent,
    _SHIM_SOCKETS,
    Path("/run/containerd"),
    Path("/run/docker/plugins"),
    Path("/run/docker"),
)
"""Folders that the programs make whatever they are told, children before parents."""


def remove_all(lab: Lab) -> bool:
    """Remove every trace of a lab; return whether there was any.

    Processes go first, since they make the rest; the record of the slot goes last, so that a
    removal which was interrupted can be done again.
    """
    existed = lab.state.exists()
    addresses = read_addresses(lab)
    if addresses:
        cgroups.remove(addresses.kernel_name)
        processes.reap(lab)
        network.remove(lab, addresses)
        _remove_strays(lab)
    kernel.restore_after_last(lab)
    mounts.unmount_below(lab.state)
    remove_state(lab)
    env.remove(lab)
    return existed


def _remove_strays(lab: Lab) -> None:
    """Remove what Kubernetes' programs write to fixed places outside the lab's state.

    These places are shared by all labs and by any other container runtime of the machine, so only
    what is evidently this lab's, or nobody's, goes.
    """
    # containerd's shims listen on sockets under /run/containerd/s; their bundles know which.
    bundles = lab.state / "run" / "containerd" / "io.containerd.runtime.v2.task"
    for address in bundles.glob("*/*/address"):
        Path(address.read_text().removeprefix("unix://")).unlink(missing_ok=True)
    # A shim that was killed leaves its socket, and containerd removes the bundle that knew of it.
    for path in _SHIM_SOCKETS.glob("*"):
        if _is_dead_socket(path):
            path.unlink(missing_ok=True)
    # CNI's record of a pod's address names the pod's network namespace, which is in the state.
    for result in _CNI_RESULTS.glob("*"):
        if _mentions(result, lab.state):
            result.unlink(missing_ok=True)
    for link in _CONTAINER_LOGS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(lab.state):
            link.unlink(missing_ok=True)
    if _is_dead_socket(_DEVICE_SOCKET):
        _DEVICE_SOCKET.unlink()
    if is_only_lab(lab):
        for folder in _FIXED_FOLDERS:
            with suppress(OSError):
                folder.rmdir()


def _mentions(file: Path, folder: Path) -> bool:
    try:
        return f"{folder}/" in file.read_text(errors="replace")
    except FileNotFoundError:  # another lab's, gone meanwhile
        return False


def _is_dead_socket(path: Path) -> bool:
    """Whether a socket is there on which nobody listens: a program that lives keeps its own."""
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
