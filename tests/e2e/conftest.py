"""A real one-node Kubernetes for the tests, beside the one that `make up` made."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab import lifecycle, tools
from lab.state import Lab
from tests.support.stack import Stack, environment

OWN = os.environ.get("ETCD_TEST_LAB")
"""Name of another lab, which is left up: for whoever works on a test while others run theirs."""


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab of this worker's tests, which is taken down at the end."""
    name = OWN or f"test{os.environ.get('PYTEST_XDIST_WORKER', '')}"
    if not OWN:
        # What a run that was killed has left, with its stacks.
        lifecycle.down(name)
    yield lifecycle.up(name)
    if not OWN:
        lifecycle.down(name)


@pytest.fixture(scope="session")
def env(lab: Lab) -> Mapping[str, str]:
    """The environment of a person who works on that lab."""
    return environment(lab.files / "env")


@pytest.fixture(scope="session")
def writer_binary() -> Path:
    return tools.ensure(["writer"])["writer"]


_numbers = itertools.count()


@pytest.fixture
def new_stack(
    env: Mapping[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Stack]]:
    """Make stacks, each with a namespace of its own; what a failed test leaves is destroyed."""
    stacks: list[Stack] = []

    def make(**groups: Any) -> Stack:
        test = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:30].strip("-")
        name = f"e{next(_numbers)}-{test}"
        stacks.append(Stack(name, env, tmp_path / name, **groups))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.remove()
