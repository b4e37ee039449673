"""Debian packages: programs taken out of them into the cache, and the few that the machine needs.

Packages with daemons are extracted and not installed: nothing starts, no user or folder is made,
and a Docker or containerd that the machine may have is left alone.
"""

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.cache import log_file
from lab.commands import Task
from lab.errors import USE_ANOTHER_CLUSTER, LabError, Report

# Command-line programs that the lab's daemons call, and libraries that extracted daemons load. None
# has a service of its own.
_MACHINE = (
    "iptables",
    "conntrack",
    "iproute2",
    "libdevmapper1.02.1",
    "libseccomp2",
    "libsystemd0",
)
# A new machine installs its updates by itself, and holds the lock meanwhile.
_INSTALL = (
    "apt-get",
    "-o",
    "DPkg::Lock::Timeout=300",
    "install",
    "--yes",
    "--no-install-recommends",
)


def inputs(packages: Sequence[str]) -> list[str]:
    """Return what an extraction depends on, for the cache's key."""
    return ["bookworm", *packages]


def extract(packages: Sequence[str], target: Path, task: Task) -> None:
    """Download packages and unpack their files below `target`, without their dependencies."""
    # The sandbox user of apt may not write below root's home, and apt would warn about it.
    command = ["apt-get", "-o", "APT::Sandbox::User=root", "download", *packages]
    _apt(f"downloading {', '.join(packages)}", command, task, target)
    for file in sorted(target.glob("*.deb")):
        task.run(f"unpacking {file.name}", ["dpkg-deb", "-x", file, target])
        file.unlink()


def install_missing(report: Report) -> None:
    """Install what the lab needs on the machine itself and what is not there yet.

    Raises LabError where the machine is not the one whose packages the lab is made of.
    """
    if problem := machine_problem(platform.machine(), _os_release()):
        raise LabError(problem, USE_ANOTHER_CLUSTER)
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *_MACHINE]
    known = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in known.splitlines() if line.endswith(" installed")}
    wanted = [package for package in _MACHINE if package not in installed]
    if wanted:
        task = Task("machine", log_file("machine-packages"), report)
        doing = f"installing {', '.join(wanted)}"
        task.say(doing)
        _apt(doing, [*_INSTALL, *wanted], task)


def _apt(doing: str, command: list[str], task: Task, folder: Path | None = None) -> None:
    """Run apt; where it fails, once more with fresh lists: old ones name files that are gone."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    try:
        task.run(doing, command, folder, environment)
    except LabError:
        task.run("apt-get update", ["apt-get", "update"], None, environment)
        task.run(doing, command, folder, environment)


def machine_problem(processor: str, release: dict[str, str]) -> str:
    """Return why the lab cannot run here, or nothing; `release` is what /etc/os-release says."""
    name = release.get("PRETTY_NAME", "unknown")
    is_debian_12 = (release.get("ID"), release.get("VERSION_ID")) == ("debian", "12")
    if is_debian_12 and processor == "x86_64":
        return ""
    return f"The lab is made of packages of Debian 12 for x86_64; this is {name} on {processor}."


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
