"""Data in memory on a real cluster: nobody starves, and a quota never is below a real database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.background_up import background_up
from tests.support.refusal import UP, refused
from tests.support.stack import Stack

FILL = """
import base64, json, urllib.request
value = base64.b64encode(b"x" * 1_400_000).decode()
for number in range(80):
    key = base64.b64encode(b"key-%d" % number).decode()
    put = json.dumps({"key": key, "value": value}).encode()
    urllib.request.urlopen("http://127.0.0.1:2379/v3/kv/put", put).read()
"""
"""Some 110 MiB, by one process."""


def test_a_quota_that_the_database_does_not_fit_into_is_refused_before_anything_is_touched(
    new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    one = {"count": 1}
    stack = new_stack(seeds=one, units={**one, "memory": "1Gi"}, storage={"kind": "memory"})
    with background_up(stack, tmp_path / "up.log") as up:
        up.wait_for("1 seeds run", 60)
        seed = stack.kubectl("logs", "--follow", "etcd-seed-0")
        up.must_succeed(120)
    # The kernel killed it where its data took its memory, at times before the log had an entry.
    assert "running as a seed" in seed
    assert "etcd ended with" not in seed
    stack.kubectl("exec", "etcd-0", "--", "python3", "-c", FILL)
    before = stack.objects("pods,statefulsets")
    for verb in (("preview",), UP):
        text = refused(stack, verb, units={"memory": "768Mi"})
        assert "etcd:units.memory 768Mi gives etcd a quota of 86Mi" in text
        assert "the database of etcd-0 has 1" in text
        assert "Next: pulumi config set --path etcd:units.memory " in text
    after = stack.objects("pods,statefulsets")
    assert [o["metadata"]["resourceVersion"] for o in after] == [
        o["metadata"]["resourceVersion"] for o in before
    ]
    stack.up("--expect-no-changes")
