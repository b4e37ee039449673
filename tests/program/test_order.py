"""What waits for what, on the way up and, in reverse, on the way down."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from pulumi.runtime.mocks import MockResourceArgs

from tests.program.conftest import Declare
from tests.support import program as support
from tests.support.program import DYNAMIC, SEQUENCES, Declared, Program

BOTH = pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])


def kubernetes(program: Program) -> list[Declared]:
    """All objects that the program declares in Kubernetes."""
    return [r for r in program.resources if r.type.startswith("kubernetes:")]


def waits(program: Program, later: Declared, sooner: Declared) -> bool:
    return sooner.urn in program.waits_for(later)


@BOTH
def test_nothing_touches_kubernetes_before_the_preflight_and_the_namespace(
    declare: Declare, preview: bool
) -> None:
    program = declare(preview=preview)
    preflight, namespace = program.one(f"{DYNAMIC}Preflight"), program.one(f"{DYNAMIC}Namespace")
    assert waits(program, namespace, preflight)
    sequences = [program.one(f"{DYNAMIC}{name}") for name in SEQUENCES[2:]]
    objects = kubernetes(program)
    assert len(objects) == 12
    for resource in (*objects, *sequences):
        assert waits(program, resource, namespace), resource.urn
        assert waits(program, resource, preflight), resource.urn


@BOTH
def test_the_preflight_waits_for_nothing(declare: Declare, preview: bool) -> None:
    program = declare(preview=preview)
    ahead = program.waits_for(program.one(f"{DYNAMIC}Preflight"))
    assert {r.type for r in program.resources if r.urn in ahead} <= {"pulumi:providers:kubernetes"}


def test_no_workload_is_made_before_its_image_is_pushed(declare: Declare) -> None:
    program = declare()
    image = program.one("docker:index/image:Image")
    for workload in program.all("StatefulSet"):
        assert waits(program, workload, image), workload.name


@BOTH
def test_the_birth_waits_for_all_that_the_seeds_need(declare: Declare, preview: bool) -> None:
    program = declare(preview=preview)
    discovery = program.one(f"{DYNAMIC}Discovery")
    for name in ("etcd-peer", "etcd", "etcd-discovery"):
        assert waits(program, discovery, program.one("Service", name)), name
    for name in ("etcd-seed", "etcd-discovery"):
        assert waits(program, discovery, program.one("StatefulSet", name)), name


@BOTH
def test_units_and_seeds_do_not_wait_for_each_other(declare: Declare, preview: bool) -> None:
    """They start side by side: units pull their image and wait inside while the seeds are born."""
    program = declare(preview=preview)
    start, discovery = program.one(f"{DYNAMIC}Start"), program.one(f"{DYNAMIC}Discovery")
    units, seeds = program.one("StatefulSet", "etcd"), program.one("StatefulSet", "etcd-seed")
    assert not waits(program, units, seeds)
    assert not waits(program, start, discovery)
    assert not waits(program, discovery, start)


@BOTH
def test_units_start_when_they_can_ask_whether_they_are_wanted(
    declare: Declare, preview: bool
) -> None:
    program = declare(preview=preview)
    start = program.one(f"{DYNAMIC}Start")
    for type_ in ("StatefulSet", "ServiceAccount", "Role", "RoleBinding", "PodDisruptionBudget"):
        assert waits(program, start, program.one(type_, "etcd")), type_


@BOTH
def test_the_sequences_come_last_one_after_the_other_and_so_go_first(
    declare: Declare, preview: bool
) -> None:
    program = declare(preview=preview)
    last = [program.one(f"{DYNAMIC}{name}") for name in ("Handover", "Scale", "Rollout")]
    for earlier, later in pairwise(last):
        assert waits(program, later, earlier)
    for resource in program.resources:
        if not resource.type.startswith("pulumi:providers:") and resource not in last:
            assert waits(program, last[0], resource), resource.urn


@BOTH
def test_a_load_balancers_address_is_waited_for_when_the_members_need_nothing_more(
    declare: Declare, preview: bool
) -> None:
    """Where none comes the wait fails, and after a failure Pulumi begins nothing more."""
    service = {"type": "LoadBalancer", "sourceRanges": ["10.0.0.0/8"]}
    program = declare(preview=preview, service=service)
    address = program.one(f"{DYNAMIC}Address")
    for resource in program.resources:
        if not resource.type.startswith("pulumi:providers:") and resource != address:
            assert waits(program, address, resource), resource.urn
            assert not waits(program, resource, address), resource.urn


@BOTH
def test_the_count_is_what_kubernetes_has_not_what_was_declared(
    declare: Declare, preview: bool
) -> None:
    """So that an `up` notices a scale by hand."""
    program = declare(preview=preview, units={"count": 5})
    assert program.one(f"{DYNAMIC}Scale").inputs["found"] == 3


@BOTH
@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param(
            {"etcd.pulumi.com/unfinished-scale": "true", "of/others": "x"}, ["scale"], id="a scale"
        ),
    ],
)
def test_what_an_earlier_up_has_not_finished_is_told_to_whom_it_concerns(
    declare: Declare,
    preview: bool,
    notes: dict[str, str],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = vars(support)["_Answers"].new_resource

    def noted(answers: Any, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        identity, state = usual(answers, args)
        found = {"metadata": {"name": "etcd", "annotations": notes}} if args.resource_id else {}
        return identity, {**state, **found}

    monkeypatch.setattr("tests.support.program._Answers.new_resource", noted)
    program = declare(preview=preview)
    for name in ("Scale", "Rollout"):
        assert program.one(f"{DYNAMIC}{name}").inputs["unfinished"] == expected, name


def test_what_changes_a_pod_and_nothing_else_is_a_rolling_change(declare: Declare) -> None:
    def template(**groups: Any) -> str:
        return declare(**groups).one(f"{DYNAMIC}Rollout").inputs["template"]

    before = template()
    assert template(units={"count": 5}, storage={"retain": False}) == before
    for groups in ({"units": {"memory": "2Gi"}}, {"etcd": {"logLevel": "warn"}}):
        assert template(**groups) != before


def test_every_object_goes_to_the_cluster_that_was_named(declare: Declare) -> None:
    program = declare()
    provider = program.one("pulumi:providers:kubernetes")
    assert {r.provider for r in kubernetes(program)} == {provider.urn}
