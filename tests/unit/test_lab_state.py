"""Records and locks of labs, in a folder of the test's own."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from lab import kernel, lifecycle, mounts, state
from lab.errors import LabError
from lab.state import Lab


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that stands for the state of all labs; it does not exist yet."""
    monkeypatch.setattr(state, "ROOT", tmp_path / "labs")
    return state.ROOT


def test_labs_begun_at_the_same_time_get_different_slots(machine: Path) -> None:
    labs = [Lab(f"t-{number}", machine) for number in range(12)]
    with ThreadPoolExecutor(len(labs)) as pool:
        claimed = list(pool.map(partial(state.claim_slot, host_networks=[]), labs))
    assert sorted(addresses.slot for addresses in claimed) == list(range(12))
    assert [state.read_addresses(lab) for lab in labs] == claimed


def test_a_lock_lets_one_in_at_a_time_and_leaves_no_file(machine: Path) -> None:
    inside = 0
    most = 0
    guard = threading.Lock()

    def visit(_: int) -> None:
        nonlocal inside, most
        with state.locked("one"):
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.002)
            with guard:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, range(40)))
    assert most == 1
    assert not machine.exists()


def test_removal_frees_the_slot_and_the_folder(machine: Path) -> None:
    first, second = Lab("t-1", machine), Lab("t-2", machine)
    state.claim_slot(first, [])
    state.claim_slot(second, [])
    (first.state / "logs").mkdir()
    (first.state / "link").symlink_to(machine)
    state.remove_state(first)
    assert state.claim_slot(first, []).slot == 0
    assert state.read_addresses(second) is not None


def test_a_folder_left_before_its_record_was_written_holds_no_slot(machine: Path) -> None:
    lab = Lab("t-1", machine)
    lab.state.mkdir(parents=True)
    assert state.read_addresses(lab) is None
    state.remove_state(lab)
    assert not machine.exists()


def test_a_lab_of_an_earlier_boot_is_known_as_such(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab("t-1", machine)
    state.claim_slot(lab, [])
    assert state.begun_in_this_boot(lab)
    monkeypatch.setattr(state, "boot_id", lambda: "another boot")
    assert not state.begun_in_this_boot(lab)


def test_only_the_last_lab_puts_the_machines_settings_back(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "sys"
    monkeypatch.setattr(kernel, "_SETTINGS", settings)
    monkeypatch.setattr(kernel, "_SET_BY_KUBELET", ("vm/one",))
    (settings / "vm").mkdir(parents=True)
    value = settings / "vm" / "one"
    value.write_text("of the machine")
    first, second = Lab("t-1", machine), Lab("t-2", machine)
    for lab in (first, second):
        state.claim_slot(lab, [])
        kernel.save()
        value.write_text("of the kubelet")
    kernel.restore_after_last(first)
    assert value.read_text() == "of the kubelet"
    state.remove_state(first)
    kernel.restore_after_last(second)
    assert value.read_text() == "of the machine"
    state.remove_state(second)
    assert not machine.exists()


def test_without_root_the_first_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match=r"needs root.*user 1000.*\nNext: "):
        lifecycle.up("t-1")


def test_mounts_below_a_folder_are_those_of_that_folder_alone() -> None:
    assert Path("/proc") in mounts.mounts_below(Path("/"))
    assert mounts.mounts_below(Path("/pro")) == []


def test_a_record_that_a_power_cut_has_emptied_is_none(machine: Path) -> None:
    lab = Lab("t-1", machine)
    state.claim_slot(lab, [])
    (lab.state / "lab.json").write_text("")
    (machine / "kernel.json").write_text("")
    assert state.read_addresses(lab) is None
    assert not state.begun_in_this_boot(lab)
    state.remove_state(lab)
    kernel.restore_after_last(lab)
    assert state.claim_slot(lab, []).slot == 0


def test_labs_are_found_whose_checkout_is_gone(machine: Path, tmp_path: Path) -> None:
    here, gone = Lab("t-1", tmp_path), Lab("t-1", tmp_path / "gone")
    for lab in (here, gone):
        state.claim_slot(lab, [])
    assert state.labs_without_checkout() == [gone]
