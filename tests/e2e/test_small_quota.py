"""Data in memory on a real cluster: nobody starves, and a quota never is below a real database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.background_up import background_up
from tests.support.refusal import UP, refused
from tests.support.stack import Stack

FILL = """
import base64, json, sys, urllib.error, urllib.request
value = base64.b64encode(b"x" * 1_400_000).decode()
for number in range(*map(int, sys.argv[1:])):
    key = base64.b64encode(b"key-%d" % number).decode()
    put = json.dumps({"key": key, "value": value}).encode()
    try:
        urllib.request.urlopen("http://127.0.0.1:2379/v3/kv/put", put).read()
    except urllib.error.HTTPError as error:
        sys.exit(error.read().decode())
"""
"""Values of almost the largest size, by one process; what etcd refuses ends it."""


def fill(stack: Stack, start: int, stop: int, *, check: bool = True) -> str:
    command = ("python3", "-c", FILL, str(start), str(stop))
    return stack.kubectl("exec", "etcd-0", "--", *command, check=check)


def as_wanted(stack: Stack) -> list[Any]:
    """Pods and StatefulSets but for what Kubernetes says of them, which changes by itself."""
    wanted = ("uid", "labels", "annotations")
    found = stack.objects("pods,statefulsets")
    return [([o["metadata"].get(key) for key in wanted], o["spec"]) for o in found]


def test_data_in_memory_never_takes_all_of_it_and_a_quota_that_it_does_not_fit_into_is_refused(
    new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    one = {"count": 1}
    stack = new_stack(seeds=one, units={**one, "memory": "1Gi"}, storage={"kind": "memory"})
    with background_up(stack, tmp_path / "up.log") as up:
        up.wait_for("1 seeds run", 120)
        seed = stack.kubectl("logs", "--follow", "etcd-seed-0")
        up.must_succeed(120)
    # The kernel killed it where its data took its memory, at times before the log had an entry.
    assert "running as a seed" in seed
    assert "etcd ended with -9" not in seed
    fill(stack, 0, 80)  # some 110 MiB
    before = as_wanted(stack)
    for verb in (("preview",), UP):
        text = refused(stack, verb, units={"memory": "768Mi"})
        assert "etcd:units.memory 768Mi gives etcd a quota of 86Mi" in text
        assert "the database of etcd-0 has 1" in text
        assert "Next: pulumi config set --path etcd:units.memory " in text
    assert as_wanted(stack) == before
    stack.up("--expect-no-changes")

    # Its quota is what ends a database, not the memory that it is in.
    assert "database space exceeded" in fill(stack, 80, 300, check=False)
    assert "etcd ended with -9" not in stack.kubectl("logs", "etcd-0")
