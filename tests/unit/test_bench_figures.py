"""The figures in docs/measurements.md are replaced, and nothing else there."""

import pytest

from bench.figures import BEGIN, END, Figure, by_name, figure_table, replace_figures, stolen_share
from bench.shell import Done, Line


def test_what_people_wrote_around_the_figures_stays() -> None:
    document = f"# Measurements\n\nHow.\n\n{BEGIN}\n\nold\n\n{END}\n\nWhat it means.\n"
    once = replace_figures(document, "new\n")

    assert once == document.replace("old", "new")
    assert replace_figures(once, "new") == once


@pytest.mark.parametrize("document", ["", "# Measurements\n"], ids=["empty", "without markers"])
def test_a_document_without_figures_gets_them_at_its_end(document: str) -> None:
    written = replace_figures(document, "new")

    assert written.startswith(document)
    assert written.endswith(f"{BEGIN}\n\nnew\n\n{END}\n")
    assert replace_figures(written, "new") == written


def test_a_phase_that_one_run_did_not_have_counts_as_no_time() -> None:
    assert by_name([{"a": 1, "b": 2}, {"a": 3, "c": 4}]) == {"a": (1, 3), "b": (2, 0), "c": (0, 4)}


def test_a_figure_shows_smallest_median_and_largest_beside_its_goal() -> None:
    shown = figure_table([Figure("handover", "s", (3.0, 1.0, 2.25), "<= 7")])

    assert shown.splitlines()[-1] == "| handover | s | 1 | 2.25 | 3 | <= 7 |"


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        pytest.param({}, 60, id="nothing was said"),
        pytest.param({1: "a", 5: "b", 58: "c"}, 53, id="between two lines"),
        pytest.param({30: "a"}, 30, id="before the first line, or after the last one"),
        pytest.param({20: "a", 30: "@ updating....", 40: "", 45: "b"}, 25, id="dots say nothing"),
    ],
)
def test_the_longest_silence_is_between_lines_that_say_something(
    lines: dict[int, str], seconds: int
) -> None:
    said = tuple(Line(7 + at * 10**9, text) for at, text in lines.items())
    assert Done(7, 60, said).silence_seconds == seconds


def test_what_the_host_gave_to_others_is_a_share_of_what_was_wanted() -> None:
    before = [100, 0, 50, 900, 10, 0, 5, 20, 7, 0]
    after = [150, 0, 70, 1900, 20, 0, 10, 45, 9, 0]
    assert stolen_share(before, after) == 0.25
    assert stolen_share(before, before) == 0
