"""When a birth makes a cluster, and when it goes on with one. Stands in for Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from components.birth import birth as module
from components.etcd.lock import BIRTH_ANNOTATION
from components.kube.errors import ExecError
from components.names import CLUSTER_ANNOTATION
from components.progress import SequenceError
from tests.support.born import BIRTH, born, steps_of_a_birth
from tests.support.namespace import (
    ANSWERED,
    BEGINS,
    CAME_BACK,
    LISTED,
    MARK,
    MUTE,
    NOW,
    PAUSES,
    VOTES,
    WAITS,
    Namespace,
    claim,
    pod,
)

SILENT = "Error: context deadline exceeded"
TAKEN = {"protocol": "v3", "token": "old", "endpoint": "http://etcd-discovery:2379"}
"""The Secret of a run that has taken a token."""
ACCEPTED = {**TAKEN, "accepted": "claim-of-etcd-seed-0"}
LOCK = {CLUSTER_ANNOTATION: "1f", BIRTH_ANNOTATION: MARK}


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return steps_of_a_birth(monkeypatch)


# ---------------------------------------------------------------- units without volumes


@pytest.mark.parametrize(
    ("units", "statuses"),
    [
        pytest.param([pod("etcd-0")], {"etcd-0": [VOTES]}, id="joined since it started"),
        pytest.param([pod("etcd-0")], {"etcd-0": [CAME_BACK]}, id="its container came back"),
        pytest.param([pod("etcd-0")], {"etcd-0": [MUTE, MUTE, VOTES]}, id="silent at first"),
        pytest.param([pod("etcd-0")], {"etcd-0": [BEGINS, CAME_BACK]}, id="just started again"),
        pytest.param([pod("etcd-0")], {"etcd-0": [PAUSES, VOTES]}, id="between two starts"),
        pytest.param(
            [pod("etcd-0", waiting="ContainerCreating"), pod("etcd-1"), pod("etcd-2")],
            {"etcd-1": [WAITS], "etcd-2": [VOTES]},
            id="one of three",
        ),
        pytest.param(
            [pod("etcd-0"), pod("etcd-1")],
            {"etcd-0": [MUTE], "etcd-1": [VOTES]},
            id="one answers, one does not",
        ),
    ],
)
def test_units_that_hold_a_cluster_are_gone_on_with(
    units: Sequence[Any],
    statuses: Mapping[str, Sequence[Mapping[str, Any]]],
    done: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = born(Namespace(pods=units, statuses=statuses), monkeypatch)
    assert (found["origin"], found["cluster_id"], found["birth"]) == ("resumed", "1f", MARK)
    assert done == []


def test_a_unit_that_is_ready_is_asked_before_one_whose_node_may_be_dead(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    units = [pod("etcd-0"), pod("etcd-1", ready=True)]
    kube = Namespace(pods=units, statuses={"etcd-0": [MUTE], "etcd-1": [VOTES]})
    assert born(kube, monkeypatch)["origin"] == "resumed"
    assert kube.asked == ["etcd-1", "etcd-0"]


@pytest.mark.parametrize("what", ["get", "list"])
def test_units_that_hold_a_cluster_are_waited_for_while_they_do_not_answer(
    what: str, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"get": MARK, "list": LISTED}[what]
    kube = Namespace(pods=[pod("etcd-0")], statuses={"etcd-0": [VOTES]})
    kube.answers[what] = [ExecError(SILENT), ExecError(SILENT), said]
    assert born(kube, monkeypatch)["origin"] == "resumed"
    assert done == []


@pytest.mark.parametrize(
    ("status", "why"),
    [
        pytest.param(CAME_BACK, f"a cluster is in etcd-0: {SILENT}", id="no quorum"),
        pytest.param(MUTE, "no word of what they hold from etcd-0", id="silent"),
    ],
)
def test_silence_of_units_is_never_taken_for_no_cluster(
    status: Mapping[str, Any], why: str, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kube = Namespace(pods=[pod("etcd-0")], statuses={"etcd-0": [status]}, get=[ExecError(SILENT)])
    with pytest.raises(SequenceError) as failure:
        born(kube, monkeypatch, seconds=-1)
    assert failure.value.problem.endswith(why)
    assert failure.value.next_step.startswith("bring the units back, then pulumi up")
    assert done == []


def test_units_of_whose_cluster_a_client_has_deleted_all_keys_are_gone_on_with(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kube = Namespace(pods=[pod("etcd-0")], statuses={"etcd-0": [VOTES]}, get=[""])
    found = born(kube, monkeypatch)
    assert (found["origin"], found["cluster_id"], found["birth"]) == ("resumed", "1f", "")
    assert done == []


CRASHES = pod("etcd-0", waiting="CrashLoopBackOff", restarts=3)


def test_a_unit_that_crashes_is_told_at_once(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SequenceError, match="pod etcd-0: CrashLoopBackOff") as failure:
        born(Namespace(pods=[CRASHES]), monkeypatch)
    # With the settings corrected, too, it would be the same pod.
    assert "scale statefulset etcd --replicas=0" in failure.value.next_step
    assert done == []


def test_a_unit_that_has_run_and_waits_for_its_image_again_is_waited_for(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = pod("etcd-0", waiting="ImagePullBackOff", starved=True, made=NOW - timedelta(days=1))
    kube = Namespace(pods=[unit])
    with pytest.raises(SequenceError, match="no word of what they hold from etcd-0"):
        born(kube, monkeypatch, seconds=-1)
    assert (kube.renewed, done) == ([], [])


def test_a_unit_that_is_out_of_memory_is_to_be_given_more(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = pod("etcd-0", waiting="CrashLoopBackOff", restarts=3, starved=True)
    with pytest.raises(SequenceError, match=r"\(OOMKilled, exit code 137\)") as failure:
        born(Namespace(pods=[unit]), monkeypatch)
    assert "etcd:units.memory 2Gi" in failure.value.next_step
    assert done == []


@pytest.mark.parametrize("unit", [CRASHES, pod("etcd-0")], ids=["crashes", "silent"])
def test_units_beside_an_attempt_that_let_nobody_in_are_not_waited_for(
    unit: Any, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were empty before it, and the corrected template comes to them after the birth."""
    kube = Namespace(secrets=[TAKEN], pods=[unit], statuses={"etcd-0": [MUTE]})
    assert born(kube, monkeypatch)["origin"] == "born"
    assert (kube.asked, kube.renewed) == ([], [])
    assert done == ["token", "wipe", *BIRTH[1:]]


@pytest.mark.parametrize("note", ["claim-of-etcd-seed-0", ""], ids=["its disks are gone", "empty"])
def test_units_that_crash_after_an_attempt_that_let_them_in_are_never_taken_for_empty(
    note: str, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SequenceError, match="pod etcd-0: CrashLoopBackOff"):
        born(Namespace(secrets=[{**TAKEN, "accepted": note}], pods=[CRASHES]), monkeypatch)
    assert done == []


@pytest.mark.parametrize(
    ("units", "statuses"),
    [
        pytest.param([], {}, id="none is made yet"),
        pytest.param([pod("etcd-0")], {"etcd-0": [WAITS]}, id="waits for a cluster"),
        pytest.param(
            [pod("etcd-0")],
            {"etcd-0": [{**WAITS, "phase": "cannot start a process"}]},
            id="is known to be empty, whatever its phase is",
        ),
        pytest.param([pod("etcd-0")], {"etcd-0": [MUTE, BEGINS, WAITS]}, id="has just started"),
        pytest.param([pod("etcd-0", waiting="ContainerCreating")], {}, id="never started"),
        pytest.param([pod("etcd-0", waiting="ImagePullBackOff")], {}, id="cannot be pulled"),
        pytest.param([pod("etcd-0", ending=True)], {}, id="ends, and its data with it"),
    ],
)
def test_units_that_hold_nothing_are_no_cluster(
    units: Sequence[Any],
    statuses: Mapping[str, Sequence[Mapping[str, Any]]],
    done: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kube = Namespace(pods=units, statuses=statuses)
    assert born(kube, monkeypatch)["origin"] == "born"
    assert done == BIRTH


def test_units_with_volumes_are_not_asked_since_the_lock_on_these_has_decided(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    units, claims = [pod("etcd-0", volume=True)], [claim("etcd-0")]
    kube = Namespace(pods=units, claims=claims, made=NOW)
    assert born(kube, monkeypatch)["origin"] == "born"
    assert kube.asked == []
    assert done == BIRTH


# ---------------------------------------------------------------- an attempt beside this one


@pytest.mark.parametrize("first", [{}, TAKEN], ids=["began after us", "began before us"])
def test_what_another_run_has_accepted_meanwhile_is_not_thrown_away(
    first: Mapping[str, str], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = [pod("etcd-seed-0", volume=True)]
    kube = Namespace(secrets=[first, ACCEPTED], pods=seeds, claims=[claim("etcd-seed-0")])
    found = born(kube, monkeypatch)
    assert (found["origin"], found["birth"], found["token"]) == ("resumed", MARK, "old")
    assert done == ["token"]


ON_VOLUMES = {"claims": [claim("etcd-0", **LOCK)]}
IN_UNITS = {"found": [pod("etcd-0")], "statuses": {"etcd-0": [VOTES]}}


@pytest.mark.parametrize(
    ("step", "secret", "appears", "origin"),
    [
        pytest.param("wipe", TAKEN, ON_VOLUMES, "retained", id="while seeds end"),
        pytest.param("fresh", {}, ON_VOLUMES, "retained", id="while a token comes"),
        pytest.param("fresh", {}, IN_UNITS, "resumed", id="then, in units without volumes"),
        pytest.param("wipe", ACCEPTED, IN_UNITS, "resumed", id="while noted seeds end, in units"),
    ],
)
def test_no_second_cluster_is_formed_beside_that_of_a_run_that_has_overtaken_this_one(
    step: str,
    secret: Mapping[str, str],
    appears: Mapping[str, Any],
    origin: str,
    done: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has wiped, given birth and handed over while this one waited, slept for example."""
    kube = Namespace(secrets=[secret])
    owner = module.teardown if step == "wipe" else module.tokens
    taken = getattr(owner, step)

    def meanwhile(*arguments: Any) -> Any:
        vars(kube).update(appears, secrets=[{}])
        return taken(*arguments)

    monkeypatch.setattr(owner, step, meanwhile)
    assert born(kube, monkeypatch)["origin"] == origin
    assert "seeds" not in done


def test_an_attempt_is_ended_by_its_token(done: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Any] = []
    monkeypatch.setattr(module.teardown, "wipe", lambda *given: ended.append(given[2:]))  # pyright: ignore
    assert born(Namespace(secrets=[TAKEN]), monkeypatch)["origin"] == "born"
    assert ended == [("old",)]


UNWRITTEN = ANSWERED.replace('"revision": 7', '"revision": 1')


def test_a_mark_that_lands_while_a_new_attempt_is_prepared_is_not_thrown_away(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier run has noted its cluster, and its put was under way at the first look."""
    seeds, claims = [pod("etcd-seed-0", volume=True)], [claim("etcd-seed-0")]
    kube = Namespace(
        secrets=[ACCEPTED],
        pods=seeds,
        claims=claims,
        get=["", MARK],
        status=[UNWRITTEN, ANSWERED],
    )
    found = born(kube, monkeypatch)
    assert (found["origin"], found["birth"], found["token"]) == ("resumed", MARK, "old")
    assert done == ["token"]


def test_a_cluster_that_has_no_mark_at_the_last_look_either_is_ended(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds, claims = [pod("etcd-seed-0", volume=True)], [claim("etcd-seed-0")]
    kube = Namespace(secrets=[ACCEPTED], pods=seeds, claims=claims, get=[""], status=[UNWRITTEN])
    assert born(kube, monkeypatch)["origin"] == "born"
    assert done == ["token", "wipe", *BIRTH[1:]]


@pytest.mark.parametrize(
    "secrets",
    [
        pytest.param([TAKEN], id="not accepted"),
        pytest.param([{}, TAKEN], id="begun meanwhile, not accepted"),
        pytest.param([ACCEPTED], id="accepted, and all its disks are gone"),
    ],
)
def test_what_nobody_was_given_is_ended_before_a_new_attempt(
    secrets: Sequence[Mapping[str, str]], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert born(Namespace(secrets=secrets), monkeypatch)["origin"] == "born"
    assert done == ["token", "wipe", *BIRTH[1:]]


# ---------------------------------------------------------------- units with volumes


def test_seeds_that_run_are_left_to_the_handover(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kube = Namespace(pods=[pod("etcd-seed-0")], claims=[claim("etcd-0", **LOCK)])
    assert born(kube, monkeypatch)["origin"] == "resumed"
    assert done == []


HELD = pod("etcd-seed-0", gated=True, volume=True)
OF_ANOTHER = {**TAKEN, "accepted": "claim-of-another"}
GOING = claim("etcd-seed-0")
GOING.metadata.deletion_timestamp = NOW


@pytest.mark.parametrize(
    ("seeds", "left", "secret", "origin"),
    [
        pytest.param([HELD], claim("etcd-seed-0"), {}, "retained", id="at rest"),
        pytest.param([HELD], claim("etcd-seed-0"), ACCEPTED, "resumed", id="evicted"),
        pytest.param([HELD], claim("etcd-seed-0"), OF_ANOTHER, "retained", id="on a new disk"),
        pytest.param([], claim("etcd-seed-0"), ACCEPTED, "resumed", id="evicted, and kept away"),
        pytest.param(
            [pod("etcd-seed-1", gated=True)],
            claim("etcd-seed-0"),
            ACCEPTED,
            "resumed",
            id="one of them evicted, and kept away",
        ),
        pytest.param([], claim("etcd-seed-0"), OF_ANOTHER, "retained", id="only a new disk left"),
        pytest.param([], GOING, ACCEPTED, "retained", id="its disk is going already"),
    ],
)
def test_seeds_that_may_be_voters_are_left_to_the_handover_though_none_runs(
    seeds: Sequence[Any],
    left: Any,
    secret: Mapping[str, str],
    origin: str,
    done: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a handover that was cut off. A quota or an admission may keep their pods away."""
    kube = Namespace(secrets=[secret], pods=seeds, claims=[claim("etcd-0", **LOCK), left])
    assert born(kube, monkeypatch)["origin"] == origin
    assert done == ([] if origin == "resumed" else ["wipe"])
