"""What counts as the answer of a command in a pod."""

from __future__ import annotations

import pytest

from components.kube.client import printed
from components.kube.errors import ExecError

WORDS = '{"level":"warn"}\nFailed to get the hash of endpoint u (context deadline exceeded)\n'


@pytest.mark.parametrize(
    ("out", "code"),
    [
        pytest.param("[1]\n", 0, id="an answer"),
        pytest.param("[1]\n", 1, id="an answer of some, while others are silent"),
        pytest.param("", 0, id="nothing to say"),
        pytest.param("null\n", 0, id="a value that is null"),
    ],
)
def test_what_is_printed_is_the_answer(out: str, code: int) -> None:
    assert printed(out, WORDS, code) == out


@pytest.mark.parametrize("out", ["", "\n", "null\n"])
def test_a_failure_of_which_only_an_empty_list_is_printed_is_told_in_the_commands_words(
    out: str,
) -> None:
    with pytest.raises(ExecError) as failure:
        printed(out, WORDS, 1)
    assert str(failure.value) == WORDS.splitlines()[-1]
    with pytest.raises(ExecError, match="exit code 2"):
        printed(out, "", 2)
