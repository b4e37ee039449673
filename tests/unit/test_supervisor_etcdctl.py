"""What a supervisor makes of etcdctl, of ports and of names. Small programs stand for etcdctl."""

from __future__ import annotations

import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from containers.etcd.supervisor import asking
from containers.etcd.supervisor.etcdctl import EtcdctlError, answers, etcdctl
from containers.etcd.supervisor.health import ready_seconds_of
from tests.support.answers import Reply, serving
from tests.support.ports import free_port


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that stands for etcdctl; its text is what it does."""
    path = tmp_path / "etcdctl"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return path


def does(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


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
