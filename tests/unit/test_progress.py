"""Waits that end, and when."""

from __future__ import annotations

import pytest

from components import progress as module
from components.progress import Progress, SequenceError, Unmet
from tests.support.clock import Clock


@pytest.mark.parametrize(
    ("deadline", "least", "waited"),
    [
        pytest.param(20, 0.0, 20, id="until the deadline"),
        pytest.param(20, 5.0, 20, id="which is later than the least"),
        pytest.param(-1, 0.0, 0, id="not at all, where it is over"),
        pytest.param(-1, 5.0, 5, id="over, but what comes last has its time"),
    ],
)
def test_a_wait_ends(
    deadline: int, least: float, waited: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    progress = Progress("handover", deadline, started=clock.now)
    with pytest.raises(
        SequenceError, match=f"timed out after {waited} s, waiting for seeds: still there"
    ):
        progress.wait("seeds", lambda: Unmet("still there"), "look", least_seconds=least)
