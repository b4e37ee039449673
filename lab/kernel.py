"""Kernel settings of the whole machine that every kubelet changes, and putting them back."""

from pathlib import Path
from typing import Any

from lab import state
from lab.state import Lab, boot_id, is_only_lab, locked, read_record, write_record

_SET_BY_KUBELET = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""Kubernetes, pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables."""

_SETTINGS = Path("/proc/sys")


def save() -> None:
    """Record the settings, unless a lab that is there already has done so in this boot."""
    with locked("kernel"):
        if _read().get("boot") != boot_id():
            values = {name: (_SETTINGS / name).read_text().strip() for name in _SET_BY_KUBELET}
            write_record(_record(), {"boot": boot_id(), "values": values})


def restore_after_last(lab: Lab) -> None:
    """Put the recorded settings back where `lab` is the last one; its programs have ended."""
    with locked("kernel"):
        if not is_only_lab(lab):
            return
        record = _read()
        if record.get("boot") == boot_id():
            for name, value in record["values"].items():
                (_SETTINGS / name).write_text(value)
        for file in (_record(), _record().with_suffix(".new")):
            file.unlink(missing_ok=True)


def _record() -> Path:
    return state.ROOT / "kernel.json"


def _read() -> dict[str, Any]:
    return read_record(_record())
