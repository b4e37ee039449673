"""Commands of kubectl that a person is told to type: the shell's current context may be that of
another cluster, with a namespace and volumes of the same names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from components.site import Site, kubectl
from tests.support.dynamic import SITE

COMPONENTS = Path(__file__).parents[2] / "components"
FILES = sorted(COMPONENTS.rglob("*.py"))


def texts(file: Path) -> list[str]:
    """The strings of a file that are no docstrings."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    told = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(COMPONENTS)))
def test_no_command_is_printed_but_by_the_one_function_that_names_the_context(file: Path) -> None:
    if file == COMPONENTS / "site.py":
        return
    # `kubectl config` asks no cluster, and `kubectl.kubernetes.io` is no command.
    own = [text for text in texts(file) if re.search(r"\bkubectl\b(?! config |\.)", text)]
    assert own == []


def test_a_command_names_the_context_and_the_namespace() -> None:
    found = Site(**SITE).kubectl("delete", "pvc", "data-etcd-0")
    assert found == "kubectl --context here -n etcd delete pvc data-etcd-0"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        pytest.param(None, "kubectl --context here version", id="none: as kubectl finds it"),
        pytest.param(
            "of/my team", "kubectl --kubeconfig 'of/my team' --context here version", id="a path"
        ),
        pytest.param(
            "~/my team", "kubectl --kubeconfig ~/'my team' --context here version", id="at home"
        ),
        pytest.param(
            "~other/config", "kubectl --kubeconfig ~other/config --context here version", id="his"
        ),
        pytest.param(
            "one::~/two",
            "KUBECONFIG=one:~/two kubectl --context here version",
            id="several, which kubectl takes by the variable alone",
        ),
    ],
)
def test_a_kubeconfig_of_the_settings_is_named_as_a_shell_takes_it(
    setting: str | None, expected: str
) -> None:
    assert kubectl("here", "version", kubeconfig=setting) == expected


def test_a_context_of_any_name_is_one_word() -> None:
    found = kubectl("of my team", "version")
    assert found == "kubectl --context 'of my team' version"
