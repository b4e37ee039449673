"""Take a lab apart, whatever is there of it: each step is fine with nothing to do."""

from pathlib import Path

from lab import cgroups, env, kernel, mounts, network, processes
from lab.addresses import Addresses
from lab.state import Lab, read_addresses, remove_state


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
        network.remove(addresses)
        _remove_strays(lab, addresses)
    if existed:
        kernel.restore_after_last(lab)
        mounts.unmount_below(lab.state)
        remove_state(lab)
    env.remove(lab)
    return existed


def _remove_strays(lab: Lab, addresses: Addresses) -> None:
    """Remove what Kubernetes' programs write to fixed places outside the lab's state.

    These places are shared by all labs and by any other container runtime of the machine, so only
    what is evidently this lab's goes.
    """
    # containerd's shims listen on sockets under /run/containerd/s; their bundles know which.
    for address in (lab.state / "run" / "containerd").glob("io.containerd.runtime.v2.task/*/*/address"):
        Path(address.read_text().removeprefix("unix://")).unlink(missing_ok=True)
    for result in Path("/var/lib/cni/results").glob(f"{addresses.kernel_name}-*"):
        result.unlink(missing_ok=True)
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(lab.state):
            link.unlink(missing_ok=True)
