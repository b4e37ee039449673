"""More units by a change of the stack's config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.stack import Stack
from tests.support.writer import Writer


def test_new_units_join_by_an_up_and_no_write_is_lost(
    new_stack: Callable[..., Stack], tmp_path: Path, writer_binary: Path
) -> None:
    stack = new_stack(seeds={"count": 1}, units={"count": 1})
    stack.up()
    before = stack.outputs()
    first = stack.pods()["etcd-0"]["metadata"]["uid"]
    stack.set(units={"count": 3})
    with Writer(writer_binary, [stack.address()], tmp_path) as writer:
        up = stack.up()
        summary = writer.summary()
    assert "balanced: 3 units vote" in up.output
    assert "Discovery" not in up.output
    members = stack.members()
    assert sorted(members) == sorted(stack.pods()) == ["etcd-0", "etcd-1", "etcd-2"]
    assert not any(m.get("isLearner") for m in members.values())
    assert stack.pods()["etcd-0"]["metadata"]["uid"] == first
    after = stack.outputs()
    assert after["clusterId"] == before["clusterId"]
    assert [m["name"] for m in after["members"]] == ["etcd-0", "etcd-1", "etcd-2"]
    assert after["receipt"]["consistent"] is True
    report = writer.check(stack.endpoints())
    assert (report.missing, report.problems, summary.stale_reads) == (0, [], [])
    stack.up("--expect-no-changes")
