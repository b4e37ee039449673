"""The process that runs the dynamic providers, a fake of the Kubernetes API for errors, a unit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.joining import Member, joining
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin, plugin


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """One process for all tests, as it is one for all resources of an `up`."""
    with plugin(tmp_path_factory.mktemp("plugin")) as running:
        running.configure({"etcd:units": '{"count": 3}'})
        yield running


@pytest.fixture
def dynamic(process: Plugin) -> Plugin:
    """The process, on a new page."""
    process.turn_page()
    return process


@pytest.fixture
def api() -> Iterator[Kubernetes]:
    with Kubernetes.running() as running:
        yield running


@pytest.fixture
def member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Member]:
    with joining(tmp_path, monkeypatch) as beside_a_cluster:
        yield beside_a_cluster
