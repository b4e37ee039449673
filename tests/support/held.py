"""A program whose `up` stays at one point of the handover, to be killed there and nowhere else."""

from __future__ import annotations

from pathlib import Path

from tests.faults.patching import Patch, patched_program
from tests.support.stack import CHECKOUT

UNITS_VOTE = 'loop.progress.say(f"all {count} units vote: clients are led to them alone")\n'


def held_before_the_first_removal(folder: Path) -> Path:
    """A copy of the program in `folder`, whose handover goes no further than to say this.

    Only the moment is held: the removal comes within half a second, and a kill may be later.
    """
    stays = Patch("components/change/balance.py", UNITS_VOTE, f"{UNITS_VOTE}    time.sleep(600)\n")
    return patched_program(CHECKOUT, folder, stays)
