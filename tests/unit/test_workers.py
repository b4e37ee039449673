"""Who runs what, in real runs of pytest-xdist: a worker without a lab never gets what needs one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WRITE = """
import os, pathlib, time

def test_{number}():
    name = pathlib.Path(__file__).name
    with open({log!r}, "a") as log:
        print(name, os.environ["PYTEST_XDIST_WORKER"], file=log)
    {does}
"""


def run(folder: Path, *arguments: str, **files: str) -> tuple[int, dict[str, set[str]]]:
    """Exit code of a run, and the workers of each file. `files`: by folder and name, what each of
    their two tests does."""
    log = folder / "log"
    log.touch()
    (folder / "conftest.py").write_text(
        "from tests.support.workers import pytest_xdist_make_scheduler\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\n")
    for name, does in files.items():
        file = folder / "tests" / name.partition("_")[0] / f"test_{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        tests = [WRITE.format(number=number, log=str(log), does=does) for number in range(2)]
        file.write_text("".join(tests))
    command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "--numprocesses=3"]
    done = subprocess.run(
        [*command, "--dist=loadfile", "--no-loadscope-reorder", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    workers: dict[str, set[str]] = {}
    for line in log.read_text().splitlines():
        file, worker = line.split()
        workers.setdefault(file.removeprefix("test_").removesuffix(".py"), set()).add(worker)
    return done.returncode, workers


WAIT = "time.sleep(0.5)"


def test_a_single_file_that_needs_a_lab_is_done_by_a_worker_that_has_one(tmp_path: Path) -> None:
    code, workers = run(tmp_path, e2e_0="pass")
    assert code == 0
    assert workers == {"e2e_0": {"gw0"}}


def test_what_needs_none_is_done_beside_it_from_the_back(tmp_path: Path) -> None:
    needing, free = ([f"{folder}_{i}" for i in range(3)] for folder in ("e2e", "unit"))
    code, workers = run(tmp_path, **dict.fromkeys([*needing, *free], WAIT))
    assert code == 0
    assert workers.keys() == {*needing, *free}
    assert workers[free[-1]] == {"gw2"}
    assert "gw2" not in set().union(*(workers[file] for file in needing))


def test_the_first_failure_can_end_all(tmp_path: Path) -> None:
    files = {f"{folder}_{i}": WAIT for folder in ("e2e", "unit") for i in range(8)}
    code, workers = run(tmp_path, "-x", **files | {"unit_7": "raise ValueError"})
    assert code == 2
    assert len(workers) < len(files), "the rest of them was not begun"
