"""Bring a lab up, take it down, look at it."""

import time

from lab import debian, env, gke, health, images, locks, tools
from lab.addresses import Addresses
from lab.errors import Report
from lab.privileges import require_root_and_linux
from lab.processes import revive
from lab.removal import remove_all
from lab.startup import start_all
from lab.state import (
    DEFAULT_NAME,
    Lab,
    begun_in_this_boot,
    lab_lock,
    labs_without_checkout,
    read_addresses,
)

_PATIENCE_SECONDS = 30


def up(name: str = DEFAULT_NAME, *, report: Report = tools.say) -> Lab:
    """Bring the lab up, or leave it as it is where it is well already.

    Programs that have ended are started again; a lab that is not well with that either is taken
    down first. `report` gets one line for each step.
    """
    require_root_and_linux()
    lab = Lab(name)
    with lab_lock(lab):
        addresses = read_addresses(lab)
        if addresses:
            locks.clear_stale(lab.files / "state-backend")
            ill = _heal(lab, addresses, report)
            if ill is None:
                report(f"lab {name}: already up at {addresses.api_url}")
                return lab
            if ill.part == health.FILES:
                report(f"lab {name}: {ill.problem}; writing it again")
                _write_files(lab, addresses, report)
                return lab
            report(f"lab {name}: {ill.part}: {ill.problem}; starting afresh, without its objects")
        remove_all(lab)
        debian.install_missing(report)
        programs = tools.ensure(tools.names_for_up(), report)
        addresses = start_all(lab, programs, images.pause_tar(report), report)
        _write_files(lab, addresses, report)
    return lab


def build(*, report: Report = tools.say) -> None:
    """Make all that a lab or a test needs; start nothing. Raises LabError, as `up` does."""
    require_root_and_linux()
    debian.install_missing(report)
    tools.ensure(tools.names_for_tests(), report)
    images.pause_tar(report)
    images.etcd_base(report)
    images.etcd_base(report, "3.7")
    images.python_base(report)


def down(name: str = DEFAULT_NAME, *, report: Report = tools.say) -> None:
    """Remove the lab and every trace of it, whatever condition it is in.

    Labs whose checkout is gone go too: no command could name them any more.
    """
    require_root_and_linux()
    lab = Lab(name)
    with lab_lock(lab):
        existed = remove_all(lab)
    report(f"lab {name}: {'removed' if existed else 'there is none'}")
    for left in labs_without_checkout():
        with lab_lock(left):
            remove_all(left)
        report(f"lab {left.name} of {left.checkout}, which is gone: removed")


def status(name: str = DEFAULT_NAME) -> list[health.Check]:
    """Return the checks of the lab's parts; a single failed one where there is no lab."""
    require_root_and_linux()
    lab = Lab(name)
    addresses = read_addresses(lab)
    if addresses is None:
        return [health.Check("lab", "there is none")]
    return health.check(lab, addresses)


def _write_files(lab: Lab, addresses: Addresses, report: Report) -> None:
    programs = tools.ensure(tools.names_for_up(), report)
    env.write(lab, addresses, programs, tools.pulumi_environment(lab.files / "pulumi-home", report))
    gke.write(lab, programs, report)


def _heal(lab: Lab, addresses: Addresses, report: Report) -> health.Check | None:
    """Start again what has ended; return what is wrong with a lab and stays so, or None.

    A busy machine makes a healthy part answer late, and starting afresh loses what is in the lab:
    what may pass gets some time to do so. A program that needs another one may end once more.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    told: set[str] = set()
    while True:
        ended = set(revive(lab, addresses)) if begun_in_this_boot(lab) else set[str]()
        for program in sorted(ended - told):
            report(f"lab {lab.name}: {program} has ended; starting it again")
        told |= ended
        ills = [check for check in health.check(lab, addresses) if check.problem]
        if not ills:
            return None
        if not ills[0].may_pass or time.monotonic() > deadline:
            return ills[0]
        time.sleep(0.2)
