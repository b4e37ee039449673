"""A birth whose steps are noted, not done."""

from __future__ import annotations

from typing import Any

import pytest

from components.birth import birth as module
from components.birth.birth import birth
from components.birth.tokens import Token
from components.etcd.lock import Lock
from tests.support.namespace import Namespace


def steps_of_a_birth(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a birth does with the namespace, in its order."""
    steps: list[str] = []

    def step(name: str, result: Any = None) -> Any:
        def take(*_arguments: Any, **_more: Any) -> Any:
            steps.append(name)
            return result

        return take

    monkeypatch.setattr(module.tokens, "fresh", step("token", Token("v3", "new", "")))
    monkeypatch.setattr(module.teardown, "wipe", step("wipe"))
    monkeypatch.setattr(module.bootstrap, "run_seeds", step("seeds"))
    monkeypatch.setattr(module.teardown, "forget", step("forget"))
    monkeypatch.setattr(module.acceptance, "accept", step("accept", Lock("2f", "new mark", 1)))
    monkeypatch.setattr("components.progress.time.sleep", lambda _seconds: None)  # pyright: ignore[reportUnknownLambdaType]
    return steps


BIRTH = ["token", "seeds", "accept", "forget"]


def born(kube: Namespace, monkeypatch: pytest.MonkeyPatch, seconds: int = 5) -> dict[str, Any]:
    monkeypatch.setattr(module, "Kube", lambda *_arguments: kube)  # pyright: ignore[reportUnknownLambdaType]
    props = {"kubeconfig": "", "size": 3, "units": 3, "mode": "inCluster", "url": ""}
    return birth(kube.site, {**props, "timeout_seconds": seconds})
