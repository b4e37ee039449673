"""What probes are told, on real ports of loopback; a server stands for etcd's metrics port."""

from __future__ import annotations

import json
import socket
import stat
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from containers.etcd.supervisor import asking, kubernetes, metrics
from containers.etcd.supervisor import health as module
from containers.etcd.supervisor.etcdctl import EtcdctlError, answers, etcdctl
from containers.etcd.supervisor.health import Health, ready_seconds_of, serve
from containers.etcd.supervisor.kubernetes import LEAVING_ANNOTATION, wanted
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


# ---------------------------------------------------------------- whether a member is wanted


def stateful_set(replicas: int | None = 3, **metadata: Any) -> dict[str, Any]:
    spec = {} if replicas is None else {"replicas": replicas}
    return {"metadata": {"name": "etcd", **metadata}, "spec": spec}


@pytest.mark.parametrize(
    ("found", "ordinal", "expected"),
    [
        pytest.param(stateful_set(3), 2, True, id="the last of three"),
        pytest.param(stateful_set(3), 3, False, id="one too many"),
        pytest.param(stateful_set(0), 0, False, id="scaled to nothing"),
        pytest.param(stateful_set(None), 0, True, id="Kubernetes' default is one"),
        pytest.param(stateful_set(None), 1, False, id="and no more"),
        pytest.param(
            stateful_set(3, deletionTimestamp="2026-01-01T00:00:00Z"), 0, None, id="being deleted"
        ),
        pytest.param(
            stateful_set(3, annotations={LEAVING_ANNOTATION: "2"}), 2, False, id="is leaving"
        ),
        pytest.param(
            stateful_set(3, annotations={LEAVING_ANNOTATION: "2"}), 1, True, id="another leaves"
        ),
        pytest.param(stateful_set(3, annotations={"x": "y"}), 1, True, id="other annotations"),
        pytest.param(
            {"metadata": {}, "spec": {"replicas": 2, "ordinals": {"start": 5}}},
            6,
            True,
            id="ordinals begin at five",
        ),
        pytest.param(
            {"metadata": {}, "spec": {"replicas": 2, "ordinals": {"start": 5}}},
            7,
            False,
            id="and end at six",
        ),
        pytest.param([], 0, None, id="a list"),
        pytest.param({"kind": "Status", "metadata": {}}, 0, None, id="another kind"),
        pytest.param({"metadata": None, "spec": {}}, 0, None, id="no metadata"),
        pytest.param({"metadata": {}, "spec": {"replicas": "3"}}, 0, None, id="no number"),
    ],
)
def test_a_member_is_wanted_as_long_as_its_ordinal_is(
    found: Any, ordinal: int, expected: bool | None
) -> None:
    assert wanted(found, ordinal) is expected


# ---------------------------------------------------------------- etcdctl


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that stands for etcdctl; its text is what it does."""
    path = tmp_path / "etcdctl"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return path


def does(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    ("attempts", "answer"), [(1, None), (2, None), (3, False)], ids=["1", "2", "3"]
)
def test_an_api_that_does_not_answer_is_asked_as_often_as_it_matters(
    attempts: int, answer: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_which: object) -> bool:
        calls.append(1)
        if len(calls) < 3:
            raise TimeoutError
        return False

    calls: list[int] = []
    monkeypatch.setattr(kubernetes, "_asked", asked)
    monkeypatch.setattr(kubernetes, "PAUSE_SECONDS", 0)
    assert kubernetes.wants("etcd", "etcd", 2, attempts=attempts) is answer


def test_a_value_that_is_no_text_is_printed_all_the_same(program: Path) -> None:
    """Whatever a client has put in the place of the birth mark."""
    does(program, r"printf 'a\377b\n'")
    assert etcdctl(["http://127.0.0.1:1"], "get", "key") == "a\ufffdb\n"


def test_what_etcdctl_prints_is_returned(program: Path) -> None:
    does(program, 'echo "$1 $4 $5"')
    said = etcdctl(["http://a:1", "http://b:2"], "member", "list")
    assert said == "--endpoints=http://a:1,http://b:2 member list\n"


def test_answers_of_some_members_count_although_one_is_silent(program: Path) -> None:
    """`endpoint status` ends with 1 when one endpoint does not answer."""
    does(program, "echo '[1]'; echo 'Failed to get the status' >&2; exit 1")
    assert etcdctl(["http://a:1"], "endpoint", "status") == "[1]\n"


def test_an_error_is_its_one_line_for_people(program: Path) -> None:
    does(
        program, """echo '{"level":"warn"}' >&2; echo 'Error: etcdserver: no leader' >&2; exit 1"""
    )
    with pytest.raises(EtcdctlError, match=r"^etcdserver: no leader$"):
        etcdctl(["http://a:1"], "get", "x")


def test_an_error_without_a_word_is_an_error(program: Path) -> None:
    does(program, "exit 3")
    with pytest.raises(EtcdctlError, match="no reason given"):
        etcdctl(["http://a:1"], "get", "x")


def test_an_etcdctl_that_hangs_is_given_up(program: Path) -> None:
    does(program, "exec sleep 60")
    with pytest.raises(EtcdctlError, match="no answer within 2 s"):
        etcdctl(["http://a:1"], "get", "x", seconds=0.0)


def test_an_etcdctl_that_cannot_be_started_is_an_error_like_others(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(program.parent / "nowhere"))
    with pytest.raises(EtcdctlError, match="cannot be started"):
        etcdctl(["http://a:1"], "member", "list")


def test_a_port_that_nobody_listens_on_is_known_at_once() -> None:
    assert not answers(f"http://127.0.0.1:{free_port()}")
    with serving(Reply()) as server:
        assert answers(server.url)


class Dns:
    """One that says nothing: without it the C library tries for most of a minute."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.over, self.looked_up = threading.Event(), threading.Event()
        self._real: Any = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)
        monkeypatch.setattr(asking, "ANSWER_SECONDS", 2)

    def _look_up(self, name: str, *more: Any, **how: Any) -> list[Any]:
        if name == "127.0.0.1":
            return self._real(name, *more, **how)
        self.over.wait(30)
        self.looked_up.set()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dns]:
    found = Dns(monkeypatch)
    yield found
    found.over.set()


def test_a_name_that_is_looked_up_for_long_is_given_up(dns: Dns) -> None:
    """One step asks for two or more."""
    assert not answers("http://etcd.etcd.svc.cluster.local:2379")
    assert not dns.looked_up.is_set(), "it has waited for the end"


def test_names_of_members_that_are_looked_up_for_long_are_given_up_together(dns: Dns) -> None:
    """Four of them, one after the other, are longer than the main loop may take."""
    with serving(Reply(body='{"readySeconds": 7.5}')) as server:
        hosts = {1: "127.0.0.1", **{i: f"etcd-{i}.etcd-peer.etcd.svc" for i in range(2, 6)}}
        assert ready_seconds_of(hosts, server.port) == {1: 7.5, **dict.fromkeys(range(2, 6), 0.0)}
    assert not dns.looked_up.is_set(), "it has waited for the end"


def test_where_no_thread_can_be_had_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with serving(Reply()) as server:
        monkeypatch.setattr(asking.Thread, "start", refuses)
        assert not answers(server.url)
