"""Where a lab keeps its things, and which slot it owns."""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from lab.addresses import Addresses, choose_slot
from lab.errors import LabError

ROOT = Path("/var/lib/etcd-lab")
"""State of all labs of this machine. Short on purpose: socket paths end at 107 bytes."""

CHECKOUT = Path(__file__).resolve().parent.parent

DEFAULT_NAME = "dev"
# What the default lab and `make` have directly in .lab/: no names for other labs' folders.
_TAKEN_NAMES = (
    "bin",
    "env",
    "gke",
    "kubeconfig",
    "logs",
    "own",
    "pulumi-home",
    "state-backend",
    "uv",
)


@dataclass(frozen=True)
class Lab:
    """One lab of one checkout. Making this value touches nothing."""

    name: str
    checkout: Path = CHECKOUT

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,15}", self.name) or self.name in _TAKEN_NAMES:
            raise LabError(
                f"{self.name!r} cannot name a lab: allowed are 1 to 16 of a-z, 0-9 and '-', "
                f"not first '-', and none of {', '.join(_TAKEN_NAMES)}.",
                f"leave --name out to use the lab named {DEFAULT_NAME}",
            )

    @property
    def state(self) -> Path:
        """Folder with everything the lab's processes write."""
        digest = hashlib.sha256(str(self.checkout).encode()).hexdigest()[:6]
        return ROOT / f"{self.name}-{digest}"

    @property
    def files(self) -> Path:
        """Folder in the checkout with the files for people."""
        folder = self.checkout / ".lab"
        return folder if self.name == DEFAULT_NAME else folder / self.name

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def volumes(self) -> Path:
        """Folder that holds one folder for each PersistentVolume."""
        return self.state / "volumes"

    @property
    def admin_config(self) -> Path:
        """kubeconfig of group system:masters, which needs no role binding."""
        return self.state / "super-admin.conf"

    @property
    def network_namespace(self) -> Path:
        """File that pins the lab's network namespace, for `nsenter --net=FILE`.

        Not under /run/netns: `ip netns add` of anybody may put a mount over that folder, and what
        lies below it can then be reached no more.
        """
        return self.state / "netns"

    @property
    def containerd_socket(self) -> Path:
        return self.state / "run" / "containerd.sock"

    @property
    def docker_socket(self) -> Path:
        return self.state / "docker.sock"

    @property
    def kubeconfig(self) -> Path:
        return self.files / "kubeconfig"

    @property
    def next_command_name(self) -> str:
        """What to add to `python -m lab COMMAND` to mean this lab."""
        return "" if self.name == DEFAULT_NAME else f" --name {self.name}"


@contextmanager
def locked(name: str) -> Generator[None]:
    """Hold an exclusive lock of this machine; the lock's file goes when the holder is done.

    The loop covers that: who waited on a file that is gone by now tries again with the new one.
    """
    path = ROOT / f"{name}.lock"
    handle = _take(path)
    while handle is None:
        handle = _take(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
        # The last one out takes the folder along; any lab that is left keeps it.
        with suppress(OSError):
            ROOT.rmdir()


def _take(path: Path) -> int | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except (FileNotFoundError, FileExistsError):
        # The last one out has taken the folder along, before or while it was made.
        return None
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        if os.fstat(handle).st_ino == path.stat().st_ino:
            return handle
    except FileNotFoundError:
        pass
    os.close(handle)
    return None


def lab_lock(lab: Lab) -> AbstractContextManager[None]:
    """Let one command at a time work on a lab."""
    return locked(lab.state.name)


def boot_id() -> str:
    """Identity of this boot of the machine: pids and namespaces of another boot mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def read_addresses(lab: Lab) -> Addresses | None:
    """Return the addresses of a lab that has been begun, None where there is no trace of it."""
    return _read_slot(lab.state)


def begun_in_this_boot(lab: Lab) -> bool:
    """Whether the machine has not been restarted since the lab was begun."""
    return str(_read_record(lab.state).get("boot")) == boot_id()


def claim_slot(lab: Lab, host_networks: list[IPv4Network]) -> Addresses:
    """Record a free slot for the lab, before anything else of it exists.

    From here on `down` knows the names of everything this lab may have made.
    """
    with locked("slots"):
        used = {a.slot for a in map(_read_slot, _states()) if a}
        addresses = Addresses(choose_slot(used, host_networks))
        lab.state.mkdir(parents=True)
        record = {
            "slot": addresses.slot,
            "boot": boot_id(),
            "name": lab.name,
            "checkout": str(lab.checkout),
        }
        write_record(lab.state / "lab.json", record)
    return addresses


def labs_without_checkout() -> list[Lab]:
    """Return the labs whose checkout has been removed or moved."""
    records = [_read_record(state) for state in _states()]
    labs = [Lab(str(r["name"]), Path(str(r["checkout"]))) for r in records if "checkout" in r]
    return [lab for lab in labs if not lab.checkout.exists()]


def is_only_lab(lab: Lab) -> bool:
    """Whether no other lab is on this machine, whatever its condition."""
    return all(state == lab.state for state in _states())


def remove_state(lab: Lab) -> None:
    """Remove the lab's folder, its record last: until then a second try finds the slot."""
    with locked("slots"):
        for entry in lab.state.iterdir() if lab.state.exists() else ():
            if entry.name == "lab.json":
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        if lab.state.exists():
            shutil.rmtree(lab.state)


def _states() -> list[Path]:
    return [path for path in ROOT.iterdir() if path.is_dir()] if ROOT.exists() else []


def _read_slot(state: Path) -> Addresses | None:
    slot = _read_record(state).get("slot")
    return Addresses(slot) if isinstance(slot, int) else None


def _read_record(state: Path) -> dict[str, object]:
    return read_record(state / "lab.json")


def write_record(file: Path, content: Mapping[str, object]) -> None:
    """Write a file of ours in one step: a command may be killed at any moment."""
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(content) + "\n")
    draft.rename(file)


def read_record(file: Path) -> dict[str, Any]:
    """Return what a file of ours records; nothing where it is missing, or empty since the machine
    lost its power before the file's content was on disk."""
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
