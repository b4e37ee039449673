"""Whether the fault suite sees that a fault was made, and what a scenario says that it holds."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from kubernetes import client

from tests.faults.disk_watch import DiskWatch
from tests.faults.early_ends import ended_early, told_to_end
from tests.faults.looking import looking
from tests.faults.scenario import SuiteError
from tests.faults.scenarios.disk_and_clock import Syncs, seconds_each, syncs
from tests.faults.scenarios.handover import reason_for
from tests.faults.scenarios.killed import Instants
from tests.support.background_up import BackgroundUp
from tests.support.stack import Stack, kill_session, until

# ---------------------------------------------------------------- instants of a kill


def test_only_instants_that_hit_are_counted() -> None:
    instants = Instants(seed=1, longest=10, wanted=3)
    given: list[float] = []
    for moment in instants:
        given.append(moment)
        if len(given) in (2, 4):
            instants.missed(10)
        else:
            instants.hit()
    assert (len(given), instants.hits, instants.misses) == (5, 3, 2)


def test_after_a_miss_instants_are_drawn_from_the_time_that_is_known() -> None:
    instants = Instants(seed=1, longest=100, wanted=1)
    draws = iter(instants)
    assert max(next(draws) for _ in range(50)) > 50
    instants.missed(5)
    instants.missed(7)
    assert max(next(draws) for _ in range(50)) <= 5


def test_instants_that_miss_again_and_again_come_to_an_end() -> None:
    instants = Instants(seed=1, longest=10, wanted=1)
    for _ in range(100):
        instants.missed(10)
    with pytest.raises(SuiteError, match="100 instants came after the end of `up`"):
        next(iter(instants))


class _OneCommand:
    """A stack whose `up` is some command."""

    def __init__(self, *command: str) -> None:
        self._command = command

    def start_up(self, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as out:
            return subprocess.Popen(self._command, stdout=out, start_new_session=True)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        kill_session(process.pid)


@pytest.mark.parametrize(("seconds", "killed"), [("60", True), ("0", False)])
def test_whoever_ends_an_up_learns_whether_it_still_ran(
    seconds: str, *, killed: bool, tmp_path: Path
) -> None:
    up = BackgroundUp(cast("Stack", _OneCommand("sleep", seconds)), tmp_path / "log")
    if not killed:
        until("its own end", lambda: not up.running)
    assert up.end() is killed
    assert not up.running
    assert up.end() is killed, "asked again"


@pytest.mark.parametrize(
    ("said", "silent"), [("@ updating....", True), ("", True), ("etcd created", False)]
)
def test_the_silence_of_an_up_is_broken_by_words_alone(
    said: str, *, silent: bool, tmp_path: Path
) -> None:
    more, over = tmp_path / "more", tmp_path / "over"
    wait = "until [ -e {} ]; do sleep 0.02; done"
    script = f"echo first; {wait.format(more)}; echo '{said}'; {wait.format(over)}"
    began = time.monotonic()
    up = BackgroundUp(cast("Stack", _OneCommand("sh", "-c", script)), tmp_path / "log")
    until("the first line", lambda: up.lines)
    first = time.monotonic()
    time.sleep(0.5)  # a silence, whatever is said after it
    asked = time.monotonic()
    more.touch()
    until("the second line", lambda: len(up.lines) == 2)
    second = time.monotonic()
    over.touch()
    found, ended = up.silence_seconds(), time.monotonic()
    if silent:
        assert found >= second - first
    else:
        assert found <= max(second - began, ended - asked)


# ---------------------------------------------------------------- a slow disk

METRICS = """# TYPE etcd_disk_wal_fsync_duration_seconds histogram
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 1
etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 40
etcd_disk_wal_fsync_duration_seconds_sum 1.5e+01
etcd_disk_wal_fsync_duration_seconds_count 40
etcd_disk_wal_write_bytes_total 4.1e+06
"""


def test_what_a_sync_took_is_that_of_those_in_between() -> None:
    assert syncs(METRICS) == Syncs(15, 40)
    assert seconds_each(Syncs(5, 20), syncs(METRICS)) == 0.5
    assert seconds_each(syncs(METRICS), syncs(METRICS)) == float("inf"), "none came to its end"


# ---------------------------------------------------------------- the error of a handover

ERROR = """[handover]  12.1 s  unit etcd-1: learner, 100 % of leader's index
    error: not balanced after 45 s: {}
    Next: pulumi up
"""


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ("not healthy: etcd-1", "not healthy: etcd-1"),
        ("not healthy: etcd-0, etcd-1; 2 of 3 pods", "not healthy: etcd-0, etcd-1"),
        ("not voters yet: etcd-2; etcd-1: not ready", "etcd-1: not ready"),
        ("not healthy: etcd-10", ""),
        ("no leader", ""),
    ],
)
def test_a_unit_is_named_only_where_the_error_says_something_of_it(
    reasons: str, expected: str
) -> None:
    assert reason_for(ERROR.format(reasons), "etcd-1") == expected


# ---------------------------------------------------------------- pods that are ended


def _pod(*, ending: bool) -> dict[str, Any]:
    return {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"} if ending else {}}


def test_whoever_leaves_is_told_to_end_when_its_pod_is() -> None:
    pods = {
        "etcd-0": _pod(ending=True),
        "etcd-seed-0": _pod(ending=True),
        "etcd-seed-1": _pod(ending=False),
    }
    leaving = {"etcd-seed-0", "etcd-seed-1", "etcd-seed-2"}
    assert told_to_end(pods, leaving) == {"etcd-seed-0"}


@pytest.mark.parametrize(
    ("members", "born", "early"),
    [
        pytest.param({"etcd-0", "etcd-seed-0"}, True, {"etcd-seed-0"}, id="a member still"),
        pytest.param({"etcd-0"}, True, set[str](), id="removed before"),
        pytest.param({"etcd-seed-0"}, False, set[str](), id="an attempt that is thrown away"),
    ],
)
def test_a_pod_ends_early_while_it_is_a_member_of_a_cluster_with_its_mark(
    members: set[str], *, born: bool, early: set[str]
) -> None:
    assert ended_early({"etcd-seed-0"}, members, born=born) == early


# ---------------------------------------------------------------- looking all the time


def test_a_look_goes_on_where_kubernetes_does_not_answer() -> None:
    seen = threading.Event()

    with looking(_failing_once(client.ApiException(status=500), seen)):
        assert seen.wait(10)


def test_a_look_that_breaks_is_never_taken_for_one_that_saw_nothing() -> None:
    broken = threading.Event()

    def look() -> None:
        broken.set()
        raise KeyError("metadata")

    with pytest.raises(SuiteError, match="metadata"), looking(look):
        assert broken.wait(10)


def _failing_once(error: Exception, seen: threading.Event) -> Callable[[], None]:
    errors = [error]

    def look() -> None:
        if errors:
            raise errors.pop()
        seen.set()

    return look


# ---------------------------------------------------------------- the machine's disk


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DiskWatch:
    """Three looks, a second apart, between which everybody waited for 0.25 s, then for 0.5 s."""
    file = tmp_path / "io"
    watch = DiskWatch(file)
    for second, total in enumerate((100, 250_100, 750_100), start=1):
        file.write_text(
            f"some avg10=0.00 avg60=0.00 avg300=0.00 total=9{total}\n"
            f"full avg10=0.00 avg60=0.00 avg300=0.00 total={total}\n"
        )
        monkeypatch.setattr(time, "time_ns", lambda at=second: at * 10**9)
        watch.look()
    return watch


@pytest.mark.parametrize(
    ("since", "until", "seconds"),
    [
        pytest.param(1.2, 1.8, 0.25, id="between two looks"),
        pytest.param(1.5, 2.5, 0.75, id="across a look"),
        pytest.param(2.0, 3.0, 0.5, id="from look to look"),
        pytest.param(0.5, 2.0, None, id="before the first look"),
        pytest.param(2.5, 3.5, None, id="after the last look"),
    ],
)
def test_how_long_everybody_waited_for_the_disk(
    watched: DiskWatch, since: float, until: float, seconds: float | None
) -> None:
    assert watched.seconds(int(since * 1e9), int(until * 1e9)) == pytest.approx(seconds)


def test_a_kernel_that_does_not_count_it_says_nothing(tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path / "missing")
    watch.look()
    assert watch.seconds(0, 10**19) is None
