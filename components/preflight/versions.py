"""Which etcd version may follow those that the members run. Pure.

etcd is upgraded one minor at a time, and goes back to an older one only by a procedure of its own
(`etcdctl downgrade`), which this program does not have: a minor below what all members run is
refused. While a single member runs the older minor the cluster's version is that one,
and all may still go back to it (https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/, "Downgrade"): a
change that has stopped at its first unit can be taken back.
"""

from __future__ import annotations

from components.progress import SequenceError
from components.settings.etcd import VERSIONS
from containers.etcd.supervisor.membership import View


class VersionStepError(SequenceError):
    """etcd does not get from what runs to what is wanted in one step."""


ONE_LEARNER = (3, 5)
"""The minor of which members allow one learner at a time (`flags.MAX_LEARNERS`)."""


def require(wanted: str, view: View, *, grows: bool) -> None:
    """Raise VersionStepError unless `wanted`, x.y.z, is of the oldest minor that runs or the next.

    Members that do not answer are not judged. `grows`: whether more units are wanted with it, which
    may be so from 3.5 on to 3.6 only afterwards: members of both would apply the entry of a second
    learner differently.
    """
    running = sorted({status.version for status in view.statuses.values()}, key=_numbers)
    if not running:
        return
    oldest = _minor(running[0])
    following = (oldest[0], oldest[1] + 1)
    if _minor(wanted) in (oldest, following):
        if grows and oldest == ONE_LEARNER != _minor(wanted):
            raise VersionStepError(
                f"refused: etcd:etcd.version goes from {running[0]} to {wanted} and "
                "etcd:units.count grows: members of etcd 3.5 allow one learner at a time, those of "
                "3.6 more, and would not agree on who is a member",
                f"pulumi config set --path etcd:etcd.version {running[0]}, pulumi up "
                f"(and {wanted} when that has ended)",
            )
        return
    said = f"refused: etcd:etcd.version is {wanted}, and members run {', '.join(running)}"
    if _minor(wanted) < oldest:
        last = [version for version in running if _minor(version) == oldest][-1]
        raise VersionStepError(
            f"{said}: etcd does not go back to an older minor by a restart",
            f"pulumi config set --path etcd:etcd.version {last}",
        )
    step = f"{following[0]}.{following[1]}.{VERSIONS[following]}"
    raise VersionStepError(
        f"{said}: etcd is upgraded one minor at a time",
        f"pulumi config set --path etcd:etcd.version {step}, pulumi up "
        f"(and {wanted} when that has ended)",
    )


def _minor(version: str) -> tuple[int, int]:
    major, minor, _ = _numbers(version)
    return major, minor


def _numbers(version: str) -> tuple[int, int, int]:
    """By which versions sort; what a build adds behind them is left out."""
    major, minor, patch = version.partition("-")[0].split(".")
    return int(major), int(minor), int(patch)
