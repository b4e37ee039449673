"""The pause before etcd is started again after it failed."""

from __future__ import annotations

from containers.etcd.supervisor.process import LONGEST_PAUSE_SECONDS, Etcd


def test_the_pause_grows_to_its_longest_and_stays_there_however_often_etcd_fails() -> None:
    """Three hours of failures are 1024 of them, and no float holds two to the power of that."""
    etcd = Etcd()
    etcd.started_at = float("inf")  # each failure comes before the pause between two starts is over
    pauses = [etcd.back_off() for _ in range(1100)]
    assert pauses[:3] == [0.2, 0.4, 0.8]
    assert pauses == sorted(pauses)
    assert set(pauses[6:]) == {LONGEST_PAUSE_SECONDS}
