"""Seeds that cannot start after the birth, once their template is corrected."""

from __future__ import annotations

from typing import Any

import pytest

from components.birth import gates
from components.progress import Progress
from tests.support.namespace import Namespace, claim, pod

NOTED = {gates.NOTE: "claim-of-etcd-seed-1"}


def crashing(revision: str, *, volume: bool = True) -> Any:
    seed = pod("etcd-seed-1", waiting="CrashLoopBackOff", restarts=3, volume=volume)
    seed.metadata.labels = {"controller-revision-hash": revision}
    return seed


@pytest.mark.parametrize(
    ("seed", "secret", "renewed"),
    [
        pytest.param(crashing("r1"), NOTED, ["etcd-seed-1"], id="on a noted claim"),
        pytest.param(crashing("r2"), NOTED, [], id="of the newest template"),
        pytest.param(crashing("r1"), {}, [], id="nothing says whose its disk is"),
        pytest.param(
            crashing("r1", volume=False),
            {gates.NOTE: "uid-of-etcd-seed-1"},
            [],
            id="its data would go with it",
        ),
    ],
)
def test_a_seed_that_cannot_start_gets_the_corrected_template_if_it_can_come_back(
    seed: Any, secret: dict[str, str], renewed: list[str]
) -> None:
    """It holds what clients have written."""
    claims = [claim("etcd-seed-1")] if seed.spec.volumes[0].persistent_volume_claim else []
    kube = Namespace(pods=[seed], claims=claims, secrets=[secret], newest="r2")
    gates.see_to(kube, Progress("handover", 60), kube.found)
    assert kube.renewed == renewed
