"""What make hands down to whatever it runs, and whether a lab is part of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def told(probe: str, **variables: str) -> str:
    """The output of a shell line that stands for Python in a recipe, in a make that runs as a
    script's background does: with interrupts ignored."""
    make = [
        "make",
        "--silent",
        "--old-file=venv",
        "--old-file=privileges",
        "bench",
        f"PYTHON={probe} #",
    ]
    done = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *make],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_interrupts_reach_what_make_runs_though_a_script_has_it_in_the_background() -> None:
    ignored = int(told("grep SigIgn /proc/self/status").split()[1], 16)
    assert not ignored & 1 << 1, "signal 2 is SIGINT: proc(5)"


def test_python_keeps_what_it_has_compiled_whatever_the_callers_shell_says() -> None:
    probe = "echo told $${PYTHONDONTWRITEBYTECODE-nothing}"
    assert told(probe, PYTHONDONTWRITEBYTECODE="1") == "told nothing"


@pytest.mark.parametrize(
    ("line", "lab"),
    [
        pytest.param("context: etcd-lab", True, id="plain"),
        pytest.param("context: etcd-lab # the embedded one", True, id="with a comment"),
        pytest.param('context: "etcd-lab"', True, id="quoted"),
        pytest.param("context: 'etcd-lab'", True, id="quoted once"),
        pytest.param("{namespace: etcd, context: etcd-lab}", True, id="on one line"),
        pytest.param("context: etcd-lab-2", False, id="begins alike"),
        pytest.param("context: etcd-lab/admin", False, id="begins alike, with a slash"),
        pytest.param("context: my-etcd-lab", False, id="ends alike"),
        pytest.param("# context: etcd-lab", False, id="a comment"),
        pytest.param("context: mine # was context: etcd-lab", False, id="a comment behind it"),
    ],
)
def test_only_a_stack_whose_context_is_the_labs_starts_a_lab(
    tmp_path: Path, line: str, lab: bool
) -> None:
    (tmp_path / "Pulumi.mine.yaml").write_text(f"config:\n  etcd:kubernetes:\n    {line}\n")
    rule = "--eval=asked: ; @echo told $(LAB)"
    make = ["make", "--silent", f"--file={ROOT / 'Makefile'}", rule, "STACK=mine", "asked"]
    done = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == (["told", "lab-up"] if lab else ["told"])


NOBODY = 65534


@pytest.fixture
def nothing_installed() -> Iterator[Path]:
    """What make reads of a checkout, for a user who is not root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("Makefile", "Pulumi.dev.yaml", "requirements-dev.txt"):
            shutil.copy(ROOT / file, folder)
        shutil.copytree(ROOT / "lab", folder / "lab", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "Pulumi.mine.yaml").write_text("config:\n  etcd:kubernetes: {context: mine}\n")
        folder.chmod(0o755)  # not to be written to: no packages are installed in vain
        yield folder


def made(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    who = NOBODY if os.geteuid() == 0 else None
    return subprocess.run(
        # Below another make it would say where it is.
        ["make", "--no-print-directory", *words],
        cwd=folder,
        user=who,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "target", ["up", "preview", "status", "destroy", "lab-up", "lab-down", "test", "faults"]
)
def test_without_root_whatever_needs_a_lab_says_so_before_it_installs_anything(
    nothing_installed: Path, target: str
) -> None:
    done = made(nothing_installed, target)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "The lab needs root" in done.stderr
    assert "Next: run the command again with sudo" in done.stderr


@pytest.mark.parametrize("words", [("test-unit",), ("up", "STACK=mine")])
def test_without_root_whatever_needs_no_lab_goes_on(
    nothing_installed: Path, words: tuple[str, ...]
) -> None:
    done = made(nothing_installed, *words)
    assert "The lab needs root" not in done.stderr
    assert "installing the locked packages" in done.stdout
