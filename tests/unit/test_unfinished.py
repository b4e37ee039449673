"""A sequence that is cut off is found by the next `up`, whatever the config says then.

Kubernetes and etcd are left out: their answers are given, and what is asked of them is written down
in its order.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from components.change import preview, rollout
from components.change import scale as scale_sequence
from components.change.plan import Goal, Workload
from components.dynamic.rollout import RolloutProvider
from components.dynamic.scale import ScaleProvider
from components.kube.client import Kube
from components.names import TEMPLATE_ANNOTATION
from components.progress import SequenceError, Unmet
from components.site import Site
from components.units import counted, under_way
from containers.etcd.supervisor.kubernetes import LEAVING_ANNOTATION
from tests.support.answers import Reply, serving
from tests.support.dynamic import PROOF, inputs
from tests.support.kubernetes_api import kubeconfig
from tests.support.views import member, view

SITE = Site.of(inputs(ScaleProvider))
NEW_PROOF = {**PROOF, "at": 9.5}


class CutError(SequenceError):
    """The sequence ends here, in the middle."""

    def __init__(self) -> None:
        super().__init__("cut", "pulumi up")


def _status(*, ready: bool) -> Any:
    """Of a pod that runs."""
    state = SimpleNamespace(running=object(), waiting=None)
    condition = SimpleNamespace(
        type="Ready",
        status=str(ready),
        last_transition_time=datetime.now(UTC),
        reason="ContainersNotReady",
    )
    return SimpleNamespace(
        init_container_statuses=None,
        container_statuses=[SimpleNamespace(name="etcd", state=state, ready=ready)],
        conditions=[condition],
    )


class World:
    """What a sequence sees, and all that it does, in its order."""

    def __init__(self, count: int = 3) -> None:
        self.done: list[str] = []
        self.cut = False
        self.members = [member(10 + i, f"etcd-{i}") for i in range(count)]
        self.silent: tuple[int, ...] = ()
        self.answers = True
        self.revisions = "a" * count
        """Of each pod that is there."""
        self.unready: tuple[int, ...] = ()
        """Whose pods are not ready."""
        self.claim: str | None = "a claim"
        self.template = "a1b2"
        self.workload = Workload(count, None, frozenset(range(count)), serving_seeds=False)
        self.site = SITE
        self.goal = Goal(seeds="etcd-seed", units="etcd", count=count)

    # ------------------------------------------------------------ as Kubernetes

    def note_unfinished(self, sequence: str, *, unfinished: bool) -> None:
        self.done.append(f"{sequence} is {'under way' if unfinished else 'finished'}")

    def announce(self, _: str, leaving: int | None) -> None:
        self.done.append(f"leaving: {leaving}")
        self.workload = Workload(
            self.workload.replicas, leaving, self.workload.pods, serving_seeds=False
        )

    def volumes(self, _: str) -> list[Any]:
        """One more than there are members, and one that nobody here has made."""
        count = len(self.members) + 1
        labels = [*([SITE.identity] * count), {"app": "of-another-chart"}]
        return [
            SimpleNamespace(
                metadata=SimpleNamespace(name=f"data-etcd-{i}", labels=of, annotations=None)
            )
            for i, of in enumerate(labels)
        ]

    def delete_volume(self, claim: Any) -> None:
        self.done.append(f"{claim.metadata.name} deleted")

    def stateful_set(self, _: str) -> Any:
        told = self.workload.leaving
        leaving = {} if told is None else {LEAVING_ANNOTATION: str(told)}
        return SimpleNamespace(
            metadata=SimpleNamespace(
                generation=2,
                annotations={TEMPLATE_ANNOTATION: self.template, **leaving},
            ),
            spec=SimpleNamespace(replicas=self.workload.replicas),
            status=SimpleNamespace(observed_generation=2, update_revision="a"),
        )

    def pods(self, _: str) -> list[Any]:
        return [
            SimpleNamespace(
                metadata=SimpleNamespace(
                    name=f"etcd-{i}",
                    labels={"controller-revision-hash": revision},
                    deletion_timestamp=None,
                ),
                spec=SimpleNamespace(volumes=[SimpleNamespace(persistent_volume_claim=self.claim)]),
                status=_status(ready=i not in self.unready),
            )
            for i, revision in enumerate(self.revisions)
        ]

    # ------------------------------------------------------------ as etcd

    def look(self) -> Any:
        return view(self.members, silent=self.silent) if self.answers else Unmet("nobody answers")

    def work(self) -> None:
        """What is done in the membership, which is not for here."""
        self.done.append("work")
        if self.cut:
            raise CutError

    def prove(self, _: object) -> dict[str, Any]:
        self.done.append("proof")
        return NEW_PROOF


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    def kube(*_: object) -> World:
        return world

    def balance(_: object, least: int) -> None:
        assert least == 0, "as configured"
        world.work()

    def run(_decide: object, _act: object, judge: Callable[[Any], None]) -> None:
        judge(world.look())
        world.work()

    def workload(_: object) -> Workload:
        return world.workload

    def loop(*_: object) -> Any:
        return SimpleNamespace(
            kube=world,
            goal=world.goal,
            pods=world.pods("etcd"),
            pods_at=datetime.now(UTC),
            progress=SimpleNamespace(say=print),
            look=world.look,
            run=run,
            take=None,
        )

    for module in (scale_sequence, rollout):
        monkeypatch.setattr(module, "Kube", kube)
        monkeypatch.setattr(module, "Loop", SimpleNamespace(of=loop))
        monkeypatch.setattr(module, "prove", world.prove)
        monkeypatch.setattr(module, "workload", workload)
    monkeypatch.setattr(scale_sequence, "balance", balance)
    return world


def scale(**news: Any) -> dict[str, Any]:
    """An `up` of a stack whose state knows of three units."""
    olds = inputs(ScaleProvider) | {"proof": PROOF}
    return ScaleProvider().update("x", olds, inputs(ScaleProvider, **news)).outs or {}


def scale_first(**props: Any) -> dict[str, Any]:
    """An `up` of a stack whose state has the handover already, and nothing after it."""
    created = ScaleProvider().create(inputs(ScaleProvider, **props))
    assert created.id == "etcd/etcd"
    return created.outs or {}


def roll(world: World, **news: Any) -> dict[str, Any]:
    """An `up` whose objects Kubernetes has been given."""
    world.template = news.get("template", "a1b2")
    olds = inputs(RolloutProvider) | {"proof": PROOF}
    return RolloutProvider().update("x", olds, inputs(RolloutProvider, **news)).outs or {}


# ---------------------------------------------------------------- the note


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param(None, [], id="no annotations"),
        pytest.param({"kubectl.kubernetes.io/last-applied-configuration": "{}"}, [], id="others"),
        pytest.param({"etcd.pulumi.com/unfinished-scale": "true"}, ["scale"], id="one"),
        pytest.param(
            {
                "etcd.pulumi.com/unfinished-scale": "true",
                "etcd.pulumi.com/unfinished-rollout": "true",
            },
            ["rollout", "scale"],
            id="two, in one order always",
        ),
    ],
)
def test_the_notes_are_read_from_the_annotations(
    annotations: dict[str, str] | None, expected: list[str]
) -> None:
    assert under_way({"name": "etcd", "annotations": annotations}) == expected
    assert under_way(None) == []


@pytest.mark.parametrize(("status", "expected"), [(None, None), ({}, 0), ({"expectedPods": 3}, 3)])
def test_no_status_is_no_count(status: dict[str, int] | None, expected: int | None) -> None:
    """Or an `up` that did not reach Kubernetes would scale from zero."""
    assert counted(status) == expected


@pytest.mark.parametrize(("unfinished", "value"), [(True, "true"), (False, None)])
def test_a_note_is_one_annotation_of_the_units_budget(unfinished: bool, value: str | None) -> None:
    said: list[Any] = []

    def answer(method: str, path: str, body: str) -> Reply:
        said.append((method, path, json.loads(body)))
        return Reply(200, "{}", {"Content-Type": "application/json"})

    with serving(answer) as server:
        Kube(kubeconfig(server.url), SITE).note_unfinished("scale", unfinished=unfinished)
    budget = "/apis/policy/v1/namespaces/etcd/poddisruptionbudgets/etcd"
    note = {"metadata": {"annotations": {"etcd.pulumi.com/unfinished-scale": value}}}
    assert said == [("PATCH", budget, note)]


def test_a_scale_notes_that_it_is_under_way_until_it_is_proved(world: World) -> None:
    outs = scale(units=5, found=3, retain=True)
    assert world.done == ["scale is under way", "work", "proof", "scale is finished"]
    assert outs["proof"] == NEW_PROOF
    assert (outs["found"], outs["unfinished"]) == (5, [])


def test_a_rolling_change_notes_that_it_is_under_way_until_it_is_proved(world: World) -> None:
    world.revisions = "aab"
    outs = roll(world, template="c3d4")
    assert world.done == ["rollout is under way", "work", "proof", "rollout is finished"]
    assert outs["proof"] == NEW_PROOF
    assert (outs["template"], outs["unfinished"]) == ("c3d4", [])
    assert outs["controller_revision"] == "a", "for who is asked which units have this template"


def test_a_rolling_change_that_no_diff_could_foretell_is_refused_before_its_first_step(
    world: World,
) -> None:
    """Where etcd did not answer then, and does now."""
    world.revisions = "aab"
    with pytest.raises(SequenceError, match=r"tolerance 0; etcd:units\.minTolerance is 1"):
        roll(world, template="c3d4", min_tolerance=1)
    assert "work" not in world.done


def a_scale(_: World) -> None:
    scale(units=5, found=3)


def a_rolling_change(world: World) -> None:
    roll(world, template="c3d4")


@pytest.mark.parametrize(
    ("run", "name"),
    [
        pytest.param(a_scale, "scale", id="scale"),
        pytest.param(a_rolling_change, "rollout", id="rollout"),
    ],
)
def test_the_note_of_a_sequence_that_is_cut_off_stands(
    world: World, run: Callable[[World], object], name: str
) -> None:
    world.cut, world.revisions = True, "aab"
    with pytest.raises(CutError):
        run(world)
    assert world.done == [f"{name} is under way", "work"]


# ---------------------------------------------------------------- cut off after the handover


def test_the_first_scale_leaves_alone_what_the_handover_has_brought(world: World) -> None:
    assert scale_first()["proof"] == {}
    assert world.done == []


@pytest.mark.parametrize(
    ("there", "leaving", "props"),
    [
        pytest.param(3, None, {"units": 5}, id="more are wanted now"),
        pytest.param(5, None, {"units": 3}, id="fewer are wanted now"),
        pytest.param(3, 2, {"units": 3}, id="this was cut off, too: one was told to leave"),
        pytest.param(
            5, None, {"units": 5, "unfinished": ["scale"]}, id="this was: they join still"
        ),
    ],
)
def test_the_first_scale_brings_the_count_that_the_handover_has_not(
    there: int, leaving: int | None, props: dict[str, Any], world: World
) -> None:
    """It may have ended in an `up` that was cut off then, with another count."""
    world.workload = Workload(there, leaving, frozenset(range(there)), serving_seeds=False)
    outs = scale_first(**props)
    assert world.done == ["scale is under way", "work", "proof", "scale is finished"]
    assert outs["proof"] == NEW_PROOF
    assert (outs["units"], outs["found"], outs["unfinished"]) == (*[props["units"]] * 2, [])


def test_the_first_scale_shows_its_plan_which_no_diff_has_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And may be refused by it, before its first step."""

    def refuse(props: dict[str, Any]) -> None:
        raise SequenceError(f"not with {props['units']}", "pulumi up")

    monkeypatch.setattr(preview, "preview_scale", refuse)
    scale_first()
    with pytest.raises(SequenceError, match="not with 5"):
        scale_first(units=5)
    assert world.done == []


# ---------------------------------------------------------------- set back after a cut


def test_a_unit_that_was_told_to_leave_and_is_wanted_again_is_told_so(world: World) -> None:
    world.workload = Workload(3, 2, frozenset(range(3)), serving_seeds=False)
    outs = scale(unfinished=["scale"])
    assert world.done == ["scale is under way", "leaving: None", "scale is finished"]
    assert outs["unfinished"] == []
    assert outs["proof"] == PROOF, "the members are those of the last change"


def test_a_unit_that_is_down_stops_no_scale_that_has_nothing_left_to_do(world: World) -> None:
    """It may be the rolling change's to mend, and that comes after the scale."""
    world.silent = (12,)
    scale(unfinished=["scale"])
    assert world.done == ["scale is under way", "scale is finished"]


def test_volumes_that_a_cut_scale_has_left_go(world: World) -> None:
    scale(unfinished=["scale"], retain=False)
    assert world.done == ["scale is under way", "data-etcd-3 deleted", "scale is finished"]


def test_a_volume_of_a_unit_that_somebody_has_called_back_meanwhile_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its unit would run on a claim that ends when it does."""
    more = SimpleNamespace(spec=SimpleNamespace(replicas=4))
    monkeypatch.setattr(world, "stateful_set", lambda _name: more)  # pyright: ignore[reportUnknownLambdaType]
    scale(unfinished=["scale"], retain=False)
    assert world.done == ["scale is under way", "scale is finished"]


def not_answering(world: World) -> None:
    world.answers = False


def removed_already(world: World) -> None:
    del world.members[2]


@pytest.mark.parametrize("what", [not_answering, removed_already])
def test_what_is_not_as_it_should_be_is_brought_there(
    world: World, what: Callable[[World], None]
) -> None:
    what(world)
    scale(unfinished=["scale"])
    assert world.done == ["scale is under way", "work", "proof", "scale is finished"]


def test_a_change_of_the_count_is_proved_though_it_is_reached_already(world: World) -> None:
    """Cut off before its end: the state has the members of before."""
    olds = inputs(ScaleProvider, units=5, found=5)
    ScaleProvider().update("x", olds, inputs(ScaleProvider, unfinished=["scale"]))
    assert world.done[-2:] == ["proof", "scale is finished"]


def test_a_template_that_was_set_back_is_brought_to_the_unit_that_has_the_other(
    world: World,
) -> None:
    world.revisions = "aab"
    outs = roll(world, unfinished=["rollout"])
    assert world.done == ["rollout is under way", "work", "proof", "rollout is finished"]
    assert outs["unfinished"] == []


def test_a_rolling_change_that_was_cut_off_after_the_last_restart_is_proved(world: World) -> None:
    roll(world, unfinished=["rollout"])
    assert world.done == ["rollout is under way", "work", "proof", "rollout is finished"]


def test_a_cut_scale_leaves_the_rolling_change_nothing_if_all_run_with_the_template(
    world: World,
) -> None:
    """Nor does a unit that is down: no restart would mend it."""
    world.unready = (1,)
    outs = roll(world, unfinished=["scale"])
    assert world.done == []
    assert (outs["unfinished"], outs["proof"]) == ([], PROOF)
    assert outs["controller_revision"] == "a"


@pytest.mark.parametrize(
    ("revisions", "unready"),
    [
        pytest.param("aaa", (1,), id="one is not ready"),
        pytest.param("aa", (), id="one is not there"),
        pytest.param("", (), id="none is there"),
    ],
)
def test_units_that_do_not_run_are_no_rolling_change_that_is_done(
    revisions: str, unready: tuple[int, ...], world: World
) -> None:
    """An `up` may be cut off after Kubernetes has a template by which no unit starts, and a drain
    may let Kubernetes make them from it."""
    world.revisions, world.unready = revisions, unready
    roll(world, template="c3d4")
    assert world.done == ["rollout is under way", "work", "proof", "rollout is finished"]


def test_what_is_not_wanted_any_more_keeps_no_rolling_change_from_being_done(
    world: World,
) -> None:
    world.revisions, world.unready = "aaab", (3,)
    roll(world, template="c3d4")
    assert world.done == []


def test_the_last_copy_of_the_data_is_not_ended_by_a_rolling_change(world: World) -> None:
    world.goal = Goal(seeds="etcd-seed", units="etcd", count=1)
    world.revisions, world.claim = "b", None
    with pytest.raises(SequenceError, match="etcd-0 is the only unit and has no volume"):
        roll(world, template="c3d4", units=1)
    assert world.done == [], "nor is a note left that there is work"
