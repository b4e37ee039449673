"""What make hands down to whatever it runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def told(probe: str, **variables: str) -> str:
    """The output of a shell line that stands for Python in a recipe, in a make that runs as a
    script's background does: with interrupts ignored."""
    make = ["make", "--silent", "--old-file=venv", "bench", f"PYTHON={probe} #"]
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
