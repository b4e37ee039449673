"""The broken builds fit the product as it is, and each scenario has one that it must find out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.broken import BROKEN, Broken, UnknownBuildError, named
from tests.faults.catalogue import SCENARIOS, SHORT, UnknownScenarioError, chosen
from tests.faults.patching import Patch, PatchError, patched_program
from tests.faults.scenarios import cut

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_every_broken_build_differs_from_the_product_as_it_is(
    broken: Broken, tmp_path: Path
) -> None:
    _require_differs(tmp_path, *broken.patches)


@pytest.mark.parametrize("sequence", cut.SEQUENCES)
def test_every_sequence_can_be_cut_in_the_product_as_it_is(sequence: str, tmp_path: Path) -> None:
    _require_differs(tmp_path, *cut.patches(sequence))


def _require_differs(folder: Path, *patches: Patch) -> None:
    program = patched_program(ROOT, folder / "program", *patches)
    for patch in patches:
        text = (program / patch.file).read_text()
        assert text != (ROOT / patch.file).read_text()
        compile(text, patch.file, "exec")


def test_every_broken_build_has_a_scenario_that_must_find_it_out() -> None:
    keys = {scenario.key for scenario in SCENARIOS}
    for broken in BROKEN:
        assert broken.red, broken.name
        assert set(broken.red) <= keys, broken.name


def test_every_scenario_has_a_broken_build_that_it_must_find_out() -> None:
    found_out = {key for broken in BROKEN for key in broken.red}
    assert found_out == {scenario.key for scenario in SCENARIOS}


def test_the_measurements_say_what_was_said_of_every_broken_build() -> None:
    text = (ROOT / "docs" / "measurements.md").read_text()
    section = text.partition("### Broken builds")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| ([a-z-]+) \| (.+) \|$", section, re.M))
    assert set(rows) == {broken.name for broken in BROKEN}
    for broken in BROKEN:
        for key in broken.red:
            assert re.search(rf"\b{key}[,:]", rows[broken.name]), f"{broken.name}: {key}"


@pytest.mark.parametrize("text", ["", "one", "old old"])
def test_a_patch_that_does_not_fit_exactly_once_is_refused(text: str) -> None:
    with pytest.raises(PatchError):
        Patch("file", "old", "new").applied(text)
    assert Patch("file", "old", "new").applied("an old one") == "an new one"


def test_names_that_are_not_there_are_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownBuildError, match="learners-are-ready"):
        named("whole")
    with pytest.raises(UnknownScenarioError, match="no scenario 99; there are 14, "):
        chosen(["1", "99"])


def test_a_number_means_all_of_its_variants_and_the_catalogues_order() -> None:
    assert [s.key for s in chosen(["16a", "3", "1"])] == ["1", "3", "16a"]
    assert {s.key for s in chosen(["16"])} == {f"16{letter}" for letter in "abcdefghi"}
    assert [s.key for s in chosen(["1"])] == ["1"]
    assert chosen([]) == SCENARIOS
    assert len(chosen(SHORT)) == len(SHORT)


def test_no_number_is_given_twice() -> None:
    keys = [scenario.key for scenario in SCENARIOS]
    assert len(set(keys)) == len(keys)
