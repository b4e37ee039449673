"""A cluster that is behind what the stack's state has recorded is touched only on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support.refusal import the_one_error
from tests.support.stack import Stack

AHEAD = 1_000_000
"""Revisions that the state is made to have seen: as if the disk had come back from an old copy."""


def test_data_that_has_gone_back_is_refused_in_preview_and_taken_as_the_runbook_says(
    new_stack: Callable[..., Stack],
) -> None:
    stack = new_stack(seeds={"count": 1}, units={"count": 1}, storage={"retain": True})
    stack.up()
    cluster = stack.outputs()["clusterId"]
    _put_the_state_ahead(stack)
    before = stack.pods()["etcd-0"]["metadata"]["uid"]
    stack.set(units={"count": 3})
    for command in (("preview",), ("up", "--yes", "--skip-preview")):
        refused = the_one_error(stack.pulumi(*command))
        assert "was reached already: data was lost" in refused
        assert "docs/runbook.md" in refused
    assert {n: p["metadata"]["uid"] for n, p in stack.pods().items()} == {"etcd-0": before}

    stack.destroy()
    stack.kubectl("annotate", "pvc", "--all", "etcd.pulumi.com/revision-")
    stack.up()
    outputs = stack.outputs()
    assert (outputs["clusterId"], outputs["origin"]) == (cluster, "retained")
    assert sorted(stack.members()) == ["etcd-0", "etcd-1", "etcd-2"]


def _put_the_state_ahead(stack: Stack) -> None:
    file = stack.folder / "state.json"
    export = ("pulumi", "stack", "export", "--stack", stack.name, "--file", str(file))
    stack.run(*export, check=True)
    state: Any = json.loads(file.read_text())
    resources = state["deployment"]["resources"]
    (handover,) = [r for r in resources if r["type"].endswith("etcd:Handover")]
    handover["outputs"]["proof"]["revision"] += AHEAD
    file.write_text(json.dumps(state))
    stack.run("pulumi", "stack", "import", "--stack", stack.name, "--file", str(file), check=True)
