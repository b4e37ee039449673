"""Bring a lab up, take it down, look at it."""

import os
import sys

from lab import env, health, images, tools
from lab.errors import LabError, Report
from lab.removal import remove_all
from lab.startup import start_all
from lab.state import DEFAULT_NAME, Lab, lab_lock, read_addresses


def up(name: str = DEFAULT_NAME, *, report: Report = tools.say) -> Lab:
    """Bring the lab up, or leave it as it is where it is well already.

    A lab that is not well is taken down first. `report` gets one line for each step.
    """
    _require_root_and_linux()
    lab = Lab(name)
    with lab_lock(lab):
        addresses = read_addresses(lab)
        if addresses:
            ills = [check for check in health.check(lab, addresses) if check.problem]
            if not ills:
                report(f"lab {name}: already up at {addresses.api_url}")
                return lab
            report(f"lab {name}: {ills[0].part}: {ills[0].problem}; starting afresh")
        remove_all(lab)
        tools.install_packages(report)
        programs = tools.ensure(tools.names_for_up(), report)
        addresses = start_all(lab, programs, images.pause_tar(report), report)
        env.write(
            lab, addresses, programs, tools.pulumi_environment(lab.files / "pulumi-home", report)
        )
    return lab


def down(name: str = DEFAULT_NAME, *, report: Report = tools.say) -> None:
    """Remove the lab and every trace of it, whatever condition it is in."""
    _require_root_and_linux()
    lab = Lab(name)
    with lab_lock(lab):
        existed = remove_all(lab)
    report(f"lab {name}: {'removed' if existed else 'there is none'}")


def status(name: str = DEFAULT_NAME) -> list[health.Check]:
    """Return the checks of the lab's parts; a single failed one where there is no lab."""
    _require_root_and_linux()
    lab = Lab(name)
    addresses = read_addresses(lab)
    if addresses is None:
        return [health.Check("lab", "there is none")]
    return health.check(lab, addresses)


def _require_root_and_linux() -> None:
    if sys.platform != "linux":
        raise LabError(
            f"The lab needs Linux; this is {sys.platform}.",
            "set KUBECONFIG to a cluster of your own; then no lab is needed",
        )
    if os.geteuid() != 0:
        raise LabError(
            f"The lab needs root (network namespaces, mounts); this is user {os.geteuid()}.",
            "run the command again with sudo",
        )
