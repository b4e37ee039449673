"""How the sequences read the cluster. Stands in for Kubernetes: commands in pods."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest

from components.change import plan
from components.change.loop import POLL_SECONDS, Loop
from components.etcd.cluster import Cluster, Hash, parse_hash
from components.kube.errors import ExecError, NoExecError
from components.progress import Progress, Unmet
from containers.etcd.supervisor.membership import View, parse_members

URL = "http://127.0.0.1:2379"
LIST: dict[str, Any] = {
    "header": {"cluster_id": 1},
    "members": [
        {
            "ID": n,
            "name": pod,
            "peerURLs": [f"http://{pod}.p:2380"],
            "clientURLs": [f"http://{pod}.p"],
        }
        for n, pod in ((7, "etcd-0"), (8, "etcd-1"), (9, "etcd-seed-0"))
    ],
}
STATUSES = [
    {"Status": {"header": {"member_id": n, "cluster_id": 1, "revision": 5}, "leader": 7}}
    for n in (7, 8, 9)
]


def cluster(execute: Any, *pods: str) -> Cluster:
    kube: Any = SimpleNamespace(
        site=SimpleNamespace(seeds="etcd-seed", local_url=URL), exec=execute
    )
    return Cluster(kube, pods)


def test_list_and_statuses_are_asked_at_the_same_time() -> None:
    both = Barrier(2)

    def execute(_pod: str, *command: str, seconds: float) -> str:
        both.wait(timeout=10)
        return json.dumps(LIST if "list" in command else STATUSES)

    view = cluster(execute, "etcd-seed-0").view()
    assert not isinstance(view, Unmet)
    assert [m.pod for m in view.members] == ["etcd-0", "etcd-1", "etcd-seed-0"]
    assert sorted(view.statuses) == [7, 8, 9]
    assert view.leader == view.members[0]


def test_the_next_pod_is_asked_where_one_does_not_answer_and_units_from_then_on() -> None:
    asked: list[str] = []

    def execute(pod: str, *command: str, seconds: float) -> str:
        asked.append(pod)
        if pod == "etcd-1":
            raise ExecError("node gone")
        return json.dumps(LIST if "list" in command else STATUSES)

    found = cluster(execute, "etcd-1", "etcd-seed-0")
    assert not isinstance(found.view(), Unmet)
    assert list(dict.fromkeys(asked)) == ["etcd-1", "etcd-seed-0"]
    found.get("key")
    assert asked[-1] == "etcd-0"


def test_a_pod_in_which_nothing_can_be_run_holds_up_nothing_that_another_can_do() -> None:
    """Its etcd answers the others, so that it stands among those who are well."""
    asked: list[tuple[str, str]] = []

    def execute(pod: str, *command: str, seconds: float) -> str:
        words = ("list", "status", "get", "txn", "remove", "move-leader")
        what = next(word for word in words if word in command)
        asked.append((pod, what))
        if pod == "etcd-0":
            raise NoExecError("its kubelet is down")
        return json.dumps({"list": LIST, "status": STATUSES}.get(what, "ok"))

    found = cluster(execute, "etcd-0", "etcd-1")
    view = found.view()
    assert not isinstance(view, Unmet)
    first, second, seed = view.members
    asked.clear()
    found.get("key")
    found.write_birth("mark")
    found.remove(seed)
    found.move_leader(first, second)
    assert {pod for pod, _ in asked} == {"etcd-1"}, "who is known to be mute is asked last"
    found.remove(second)
    assert asked[-1] == ("etcd-seed-0", "remove"), "and none through itself"


def test_four_silent_members_do_not_hide_the_others() -> None:
    """Of seven units and three seeds, for example. etcdctl waits for each of them."""
    limits: list[tuple[float, float]] = []

    def execute(_pod: str, *command: str, seconds: float) -> str:
        (limit,) = (word for word in command if word.startswith("--command-timeout="))
        if "status" in command:
            limits.append((float(limit.partition("=")[2].removesuffix("s")), seconds))
        return json.dumps(LIST if "list" in command else STATUSES)

    assert not isinstance(cluster(execute, "etcd-0").view(), Unmet)
    ((each, all_of_it),) = limits
    assert 4 * each < all_of_it <= 10, "and people wait no longer than that for a line"


def test_nobody_is_removed_through_itself_even_where_nobody_else_can_be_asked() -> None:
    asked: list[str] = []

    def execute(pod: str, *command: str, seconds: float) -> str:
        asked.append(pod)
        return json.dumps(LIST)

    found = cluster(execute, "etcd-0")
    with pytest.raises(NoExecError, match="no pod to ask"):
        found.remove(View(*parse_members(json.dumps(LIST)), {}).members[0])
    assert not asked


@pytest.mark.parametrize(
    ("said", "done"),
    [
        pytest.param(ExecError("etcdserver: member not found"), True, id="etcd has it no more"),
        pytest.param(
            NoExecError('pods "etcd-1" not found'), False, id="the pod that is asked goes"
        ),
    ],
)
def test_only_etcds_word_makes_a_removal_needless(said: ExecError, done: bool) -> None:
    def execute(_pod: str, *command: str, seconds: float) -> str:
        raise said

    member = View(*parse_members(json.dumps(LIST)), {}).members[0]
    found = cluster(execute, "etcd-1")
    if done:
        found.remove(member)
    else:
        with pytest.raises(NoExecError):
            found.remove(member)


def test_who_was_to_be_asked_at_first_is_asked_again_where_all_who_spoke_are_gone() -> None:
    """One whose way to the others is cut may be the only one that it hears, and end then."""
    gone = set[str]()

    def execute(pod: str, *command: str, seconds: float) -> str:
        if pod in gone:
            raise NoExecError("its node is dead")
        return json.dumps(LIST if "list" in command else STATUSES[:1])

    found = cluster(execute, "etcd-0", "etcd-1", "etcd-seed-0")
    assert not isinstance(found.view(), Unmet)
    gone.add("etcd-0")
    assert not isinstance(found.view(), Unmet)


def test_who_becomes_mute_between_two_looks_is_passed_over() -> None:
    mute: set[str] = set()
    asked: list[str] = []

    def execute(pod: str, *command: str, seconds: float) -> str:
        asked.append(pod)
        if pod in mute:
            raise NoExecError("its kubelet is down")
        return json.dumps(LIST if "list" in command else STATUSES)

    found = cluster(execute, "etcd-0")
    found.view()
    mute.add("etcd-0")
    asked.clear()
    found.get("key")
    assert asked == ["etcd-0", "etcd-1"]
    mute |= {"etcd-1", "etcd-seed-0"}
    with pytest.raises(NoExecError, match="its kubelet is down"):
        found.get("key")


def test_what_etcd_refuses_is_not_asked_again_elsewhere() -> None:
    asked: list[str] = []

    def execute(pod: str, *command: str, seconds: float) -> str:
        if "get" in command:
            asked.append(pod)
            raise ExecError("etcdserver: no leader")
        return json.dumps(LIST if "list" in command else STATUSES)

    found = cluster(execute, "etcd-0")
    found.view()
    with pytest.raises(ExecError, match="no leader"):
        found.get("key")
    assert asked == ["etcd-0"]


def test_why_nobody_answers_is_told() -> None:
    def execute(_pod: str, *_command: str, seconds: float) -> str:
        raise ExecError("first line\ncontext deadline exceeded")

    found = cluster(execute, "etcd-0").view()
    assert found == Unmet("the cluster does not answer: context deadline exceeded")


def loop(asked: list[str]) -> Loop:
    """Over three members that are well."""

    def execute(_pod: str, *command: str, seconds: float) -> str:
        what = next(word for word in ("list", "status", "get") if word in command)
        asked.append(what)
        return {"list": json.dumps(LIST), "status": json.dumps(STATUSES), "get": "b"}[what]

    site = SimpleNamespace(seeds="etcd-seed", units="etcd", namespace="n", local_url=URL)
    kube: Any = SimpleNamespace(
        site=site,
        exec=execute,
        pods_and_time=lambda: (list[Any](), datetime(2026, 11, 27, tzinfo=UTC)),
        volumes=lambda _name: [],  # pyright: ignore[reportUnknownLambdaType]
    )
    return Loop.of(kube, {"units": 2, "cluster_id": "1", "birth": "b"}, Progress("scale", 60))


def test_only_the_second_look_comes_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("components.change.loop.time.sleep", pauses.append)
    steps = iter([plan.Wait("one"), plan.Wait("two"), plan.Done()])
    asked: list[str] = []

    def nothing(_step: object, _view: View) -> None:
        raise AssertionError

    loop(asked).run(lambda _view, _now: next(steps), nothing)
    assert asked.count("list") == 3
    assert pauses == [POLL_SECONDS]


@pytest.mark.parametrize("text", ["null", "[]"])
def test_an_answer_of_nobody_holds_no_hash(text: str) -> None:
    with pytest.raises(ValueError, match="none"):
        parse_hash(text)


@pytest.mark.parametrize(
    "text", ["", "{", "7", "[7]", '{"HashKV": 1}', '[{"HashKV": null}]', "[{}]"]
)
def test_what_is_no_hash_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its own and those of JSON
        parse_hash(text)


def test_a_hash_comes_with_the_revision_that_is_compacted() -> None:
    text = '[{"Endpoint": "u", "HashKV": {"header": {}, "hash": 7, "compact_revision": 3}}]'
    assert parse_hash(text) == Hash(7, 3)
    assert parse_hash('[{"HashKV": {"hash": 7}}]') == Hash(7, 0)
