"""What probes are told, on real ports of loopback; a server stands for etcd's metrics port."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from containers.etcd.supervisor import health as module
from containers.etcd.supervisor import metrics
from containers.etcd.supervisor.health import Health, serve
from tests.support.answers import Reply, serving
from tests.support.ports import free_port

WORKS = ["a", "etcd_disk_defrag_inflight", "etcd_server_snapshot_apply_in_progress_total"]


class Etcd:
    """What stands for etcd: its three answers."""

    def __init__(self) -> None:
        self.live, self.ready, self.works = 200, 200, set[str]()

    def respond(self, _method: str, path: str, _body: str) -> Reply:
        if path == "/metrics":
            return Reply(body="".join(f"{name} {int(name in self.works)}\n" for name in WORKS))
        return Reply({"/livez": self.live, "/readyz": self.ready}.get(path, 404))


@pytest.fixture
def etcd() -> Etcd:
    return Etcd()


@pytest.fixture
def health(etcd: Etcd) -> Iterator[Health]:
    with serving(etcd.respond) as server:
        yield Health(server.port)


@pytest.fixture
def silent() -> Health:
    """No etcd listens: it is not started, or its port is not bound yet."""
    return Health(free_port())


# ---------------------------------------------------------------- live


def test_a_member_that_waits_without_etcd_is_live(silent: Health) -> None:
    silent.beat("waiting for the discovery service", etcd=False)
    assert silent.live()


def test_an_etcd_that_has_not_answered_yet_may_take_its_time(silent: Health) -> None:
    """In discovery, or while it opens a large database, etcd answers nobody."""
    silent.beat("etcd is starting", etcd=True)
    assert silent.live()


def test_an_etcd_that_has_answered_must_go_on_answering(health: Health, etcd: Etcd) -> None:
    health.beat("running", etcd=True)
    assert health.live()
    etcd.live = 503
    assert not health.live()
    health.beat("running", etcd=True)
    assert not health.live(), "a loop that lives does not make up for it"
    etcd.live = 200
    assert health.live()


def test_an_etcd_that_is_started_anew_may_take_its_time_again(health: Health, etcd: Etcd) -> None:
    health.beat("running", etcd=True)
    assert health.live()
    health.beat("etcd ended with 1; starting again", etcd=False)
    health.beat("etcd is starting", etcd=True)
    etcd.live = 503
    assert health.live()


@pytest.mark.parametrize("work", WORKS[1:])
def test_a_work_on_all_of_the_database_may_take_its_time(
    health: Health, etcd: Etcd, work: str
) -> None:
    """It holds the locks that /livez waits for, and the larger the database the longer."""
    health.beat("running as a voter", etcd=True)
    assert health.live()
    etcd.live, etcd.works = 503, {work}
    assert health.live()
    etcd.works = {"a"}
    assert not health.live()


def test_a_liveness_probe_is_answered_before_the_kubelet_gives_it_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where etcd is silent, the time for its /livez and for its metrics are one after the other."""
    waited: list[float] = []

    def silent(_host: str, _port: int, path: str, seconds: float) -> tuple[int, bytes]:
        if path == "/livez" and not waited:
            waited.append(0.0)
            return 200, b""
        waited.append(seconds)
        raise TimeoutError

    monkeypatch.setattr(module, "http_get", silent)
    monkeypatch.setattr(metrics, "http_get", silent)
    health = Health(0)
    health.beat("running as a voter", etcd=True)
    assert health.live()
    assert not health.live()
    assert len(waited) == 3
    assert sum(waited) < 8, "the probes' timeoutSeconds in components/workload.py"


def test_liveness_never_needs_a_quorum(health: Health, etcd: Etcd) -> None:
    etcd.ready = 503
    health.beat("running", etcd=True)
    assert health.live()


@pytest.mark.parametrize("with_etcd", [True, False])
def test_a_loop_that_hangs_is_not_live(
    health: Health, monkeypatch: pytest.MonkeyPatch, with_etcd: bool
) -> None:
    health.beat("running", etcd=with_etcd)
    assert health.live()
    monkeypatch.setattr(module, "BEAT_SECONDS", -1.0)
    assert not health.live()


# ---------------------------------------------------------------- ready


def test_ready_is_what_etcd_says_once_the_member_is_admitted(health: Health, etcd: Etcd) -> None:
    health.beat("running", etcd=True)
    assert not health.ready(), "before the birth mark nobody is let in"
    health.admitted = True
    assert health.ready()
    etcd.ready = 503
    assert not health.ready(), "a learner, or no quorum"


def test_only_etcd_itself_says_that_it_is_not_ready(
    health: Health, etcd: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kubelet that is restarted asks nobody for a while, and its silence is no refusal."""
    health.beat("running as a voter", etcd=True)
    health.admitted = True
    assert health.ready()
    assert not health.refuses()
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)
    assert health.ready_seconds() == 0
    assert not health.refuses()
    etcd.ready = 503
    assert not health.ready()
    assert health.refuses()
    monkeypatch.setattr(module, "REFUSAL_SECONDS", 0.0)
    assert not health.refuses(), "that was long ago"


@pytest.mark.parametrize("work", WORKS[1:])
def test_a_work_on_all_of_the_database_is_no_refusal(health: Health, etcd: Etcd, work: str) -> None:
    """The member would be started again for it, as one that does not find the others."""
    health.beat("running as a voter", etcd=True)
    health.admitted = True
    etcd.ready, etcd.works = 503, {work}
    assert not health.ready()
    assert not health.refuses()
    etcd.works = set()
    assert health.refuses()


class Clock:
    """Stands for the module `time`: only the test lets it go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_an_answer_that_comes_late_counts_from_when_it_came(
    health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    health.beat("running as a voter", etcd=True)
    health.admitted = True
    assert health.ready()

    def late(*_request: object) -> tuple[int, bytes]:
        clock.now += module.FRESH_SECONDS + 3
        return 200, b""

    monkeypatch.setattr(module, "http_get", late)
    assert health.ready()
    clock.now += 1
    assert health.ready_seconds() == module.FRESH_SECONDS + 4


def test_an_etcd_that_was_started_anew_between_two_probes_has_been_ready_for_less(
    health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    health.beat("running as a voter", etcd=True)
    health.admitted = True
    assert health.ready()
    clock.now += 0.2
    assert health.ready()
    assert health.ready_seconds() >= 0.2
    health.beat("etcd ended with -9; starting again", etcd=False)
    assert health.ready_seconds() == 0
    health.beat("running as a voter", etcd=True)
    assert health.ready()
    assert health.ready_seconds() < 0.2


def test_a_member_without_etcd_is_never_ready(health: Health) -> None:
    health.admitted = True
    health.beat("removed from the membership", etcd=False)
    assert not health.ready()


def test_an_etcd_that_does_not_answer_is_not_ready(silent: Health) -> None:
    silent.admitted = True
    silent.beat("running", etcd=True)
    assert not silent.ready()


# ---------------------------------------------------------------- over HTTP


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_probes_get_the_verdict_and_people_the_reason(health: Health, etcd: Etcd) -> None:
    port = free_port()
    serve(health, port)
    health.beat("waiting to join: no leader", etcd=False)
    assert ask(port, "/livez") == (200, "waiting to join: no leader\n")
    assert ask(port, "/readyz") == (503, "waiting to join: no leader\n")
    health.beat("running as a voter", etcd=True)
    health.admitted = True
    assert ask(port, "/readyz")[0] == 200
    etcd.live = 500
    assert ask(port, "/livez")[0] == 200, "it has not answered a liveness probe yet"
    etcd.live = 200
    assert ask(port, "/livez")[0] == 200
    etcd.live = 500
    assert ask(port, "/livez")[0] == 503
    assert ask(port, "/metrics")[0] == 404


def test_the_status_says_all_that_the_sequences_ask_for(silent: Health) -> None:
    port = free_port()
    serve(silent, port)
    silent.failed = True
    silent.beat("this token is used up", etcd=False)
    code, text = ask(port, "/status")
    assert code == 200
    assert json.loads(text) == {
        "phase": "this token is used up",
        "etcd": False,
        "admitted": False,
        "failed": True,
        "data": None,
        "exitCode": None,
        "readySeconds": 0.0,
    }


def test_what_a_volume_was_found_without_is_not_known_of_it_once_etcd_has_been_started(
    silent: Health,
) -> None:
    """A birth that takes a unit for empty starts a second cluster beside what it holds."""
    silent.data = False
    silent.beat("waiting: no cluster answers at the Service", etcd=False)
    assert silent.status()["data"] is False
    silent.beat("etcd is starting", etcd=True)
    silent.beat("etcd ended with 1; starting again", etcd=False)
    assert silent.status()["data"] is None
    silent.data = True
    silent.beat("etcd is starting", etcd=True)
    assert silent.status()["data"] is True, "what was there stays"


def test_how_etcd_ended_is_told_until_it_is_started_again(silent: Health) -> None:
    silent.exit_code = -9
    silent.beat("etcd ended with -9; starting again", etcd=False)
    assert silent.status()["exitCode"] == -9
    silent.beat("etcd is starting", etcd=True)
    assert silent.status()["exitCode"] is None


def test_the_log_tells_changes_only(silent: Health, capsys: pytest.CaptureFixture[str]) -> None:
    for phase in ("waiting", "waiting", "running", "running", "waiting"):
        silent.beat(phase, etcd=False)
    assert capsys.readouterr().out.split() == [
        *("supervisor:", "waiting"),
        *("supervisor:", "running"),
        *("supervisor:", "waiting"),
    ]
