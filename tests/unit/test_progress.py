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


@pytest.mark.parametrize(
    ("seconds", "longer"),
    [
        pytest.param(600, 1200, id="twice as long"),
        pytest.param(5000, 7200, id="as long as may be"),
        pytest.param(7200, None, id="it is as long as may be"),
    ],
)
def test_at_a_deadline_of_the_settings_more_time_comes_second(
    seconds: int, longer: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    progress = Progress.of("rollout", {"timeout_seconds": float(seconds)})
    progress.started = clock.now
    with pytest.raises(SequenceError) as failure:
        progress.wait("seeds", lambda: Unmet("still there"), "look")
    more = (
        "; or give it more time: pulumi config set --path "
        f"etcd:handover.timeoutSeconds {longer}, then pulumi up"
    )
    assert failure.value.next_step == f"look{more if longer else ''}"


def test_no_setting_is_named_that_would_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    limited = Progress("rollout", 600, by_setting=True, started=clock.now)
    with pytest.raises(SequenceError) as failure:
        limited.wait("an answer", lambda: Unmet("none"), "look", limit_seconds=30)
    assert failure.value.next_step == "look"
    fixed = Progress("namespace", 120, started=clock.now)
    with pytest.raises(SequenceError) as failure:
        fixed.wait("its end", lambda: Unmet("still there"), "look")
    assert failure.value.next_step == "look"
