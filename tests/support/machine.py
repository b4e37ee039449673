"""What a lab could leave behind on the machine, as sets of lines that two moments can compare."""

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path

from lab import cgroups
from lab.addresses import Addresses
from lab.state import ROOT

_FIXED_PLACES = (
    "/etc/cni",
    "/etc/docker",
    "/opt/containerd",
    "/run/containerd",
    "/run/docker",
    "/run/netns",
    "/usr/libexec/kubernetes",
    "/var/lib/cni",
    "/var/lib/docker",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
    "/var/run/kubernetes",
)
"""Where container runtimes and Kubernetes put things unless they are told otherwise."""

_SETTINGS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")


def traces() -> set[str]:
    """Return every trace of every lab: processes, mounts, network, rules, groups, files, settings.

    A file or process counts where its path or control group names a lab; the rest of the machine
    may change as it likes meanwhile.
    """
    lines = {f"cgroup {folder}" for root in cgroups.hierarchies() for folder in _groups(root)}
    lines |= {f"mount {line}" for line in Path("/proc/self/mounts").read_text().splitlines()}
    for command in (
        ["ip", "-oneline", "link"],
        ["ip", "-oneline", "address"],
        ["ip", "-oneline", "route", "show", "table", "all"],
        ["ip", "-oneline", "rule"],
        ["iptables-save"],
    ):
        lines |= {f"{command[-1]} {line}" for line in _output(command)}
    lines |= {_file(path) for path in [ROOT, *ROOT.glob("*")]}
    for place in (Path(name) for name in _FIXED_PLACES if Path(name).exists()):
        lines |= {_file(path) for path in [place, *place.glob("*"), *place.glob("*/*")]}
    lines |= {f"{name} = {Path('/proc/sys', name).read_text()}" for name in _SETTINGS}
    return lines | _processes()


def traces_left(before: set[str]) -> set[str]:
    """Return what is there now and was not before, without what belongs to labs that live on."""
    others = _names_of_labs()
    new = traces() - before
    return {line for line in new if not any(other in line for other in others)}


def _names_of_labs() -> set[str]:
    names: set[str] = set()
    for record in ROOT.glob("*/lab.json"):
        addresses = Addresses(json.loads(record.read_text())["slot"])
        names |= {record.parent.name, addresses.kernel_name, f"10.{200 + addresses.slot}."}
        # The only names that do not show whose they are: the sockets of containerd's shims.
        bundles = record.parent / "run" / "containerd" / "io.containerd.runtime.v2.task"
        for address in bundles.glob("*/*/address"):
            with suppress(FileNotFoundError):  # that pod ends just now
                names.add(Path(address.read_text()).name)
    return names


def _file(path: Path) -> str:
    """Return a file's name, with what shows whose it is."""
    if path.is_symlink():
        return f"file {path} -> {path.readlink()}"
    if path.parent.name == "results":
        with suppress(FileNotFoundError):  # of a pod that ends just now
            return f"file {path} {path.read_text()}"
    return f"file {path}"


def _processes() -> set[str]:
    found: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            groups = (process / "cgroup").read_text()
            command = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        # Without a command line: dead, and not yet collected by init.
        if command and ("/etcd-lab-" in groups or str(ROOT) in command):
            found.add(f"process {process.name} {command} {groups}")
    return found


def _groups(root: Path) -> list[Path]:
    # Not by rglob: groups of pods that end go while it looks, and os.walk bears with that.
    return [
        Path(folder) for folder, _, _ in os.walk(root) if Path(folder).name.startswith("etcd-lab")
    ]


def _output(command: list[str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # Counters and comments with the time of day differ between any two moments.
    return [line.split(" [")[0] for line in done.stdout.splitlines() if line[:1] != "#"]
