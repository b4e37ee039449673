"""On which nodes members run, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from tests.program.conftest import Declare
from tests.support.program import DIGEST, DYNAMIC, workloads

AWAY = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param([], AWAY, id="by default"),
        pytest.param(
            [
                {
                    "key": AWAY[0],
                    "operator": "Exists",
                    "tolerationSeconds": 60,
                    "effect": "NoExecute",
                }
            ],
            AWAY,
            id="one has its own",
        ),
        pytest.param([{"operator": "Exists"}], [None], id="everything anyway"),
    ],
)
def test_a_unit_stays_where_it_is_while_nobody_hears_of_its_node(
    declare: Declare, own: list[dict[str, Any]], expected: list[str | None]
) -> None:
    found = workloads(declare(units={"tolerations": own}))
    tolerations = found["etcd"].pod["tolerations"]
    assert [t.get("key") for t in tolerations] == expected
    assert tolerations[: len(own)] == own
    for added in tolerations[len(own) :]:
        assert (added["operator"], added["effect"]) == ("Exists", "NoExecute")
        assert "tolerationSeconds" not in added, "for as long as it takes"
    assert found["etcd-seed"].pod.get("tolerations", []) == own, "a seed is there for minutes"


LINUX = {"kubernetes.io/os": "linux"}
PREBUILT = {"build": False, "digest": DIGEST}


@pytest.mark.parametrize(
    ("image", "selector", "expected"),
    [
        pytest.param({}, {}, {**LINUX, "kubernetes.io/arch": "amd64"}, id="built for x86"),
        pytest.param(
            {"platform": "linux/arm64"},
            {},
            {**LINUX, "kubernetes.io/arch": "arm64"},
            id="built for Arm",
        ),
        pytest.param(PREBUILT, {}, LINUX, id="prebuilt, maybe for several"),
        pytest.param(
            {},
            {"kubernetes.io/arch": "arm64"},
            {**LINUX, "kubernetes.io/arch": "arm64"},
            id="the stack's own word is the last",
        ),
    ],
)
def test_no_member_is_put_on_a_node_that_cannot_run_its_image(
    declare: Declare, image: dict[str, Any], selector: dict[str, str], expected: dict[str, str]
) -> None:
    """It would crash there, and the scheduler takes such a node as well as any other."""
    for workload in workloads(declare(image=image, units={"nodeSelector": selector})).values():
        assert workload.pod["nodeSelector"] == expected


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        pytest.param({}, "amd64", id="built for x86"),
        pytest.param({"image": {"platform": "linux/arm64"}}, "arm64", id="built for Arm"),
        pytest.param({"image": PREBUILT}, "", id="prebuilt, maybe for several"),
        pytest.param(
            {"units": {"nodeSelector": {"kubernetes.io/arch": "arm64"}}},
            "",
            id="the stack's own word is the last",
        ),
    ],
)
def test_nodes_are_looked_for_of_the_kind_that_the_image_asks_for(
    declare: Declare, groups: dict[str, Any], expected: str
) -> None:
    program = declare(**groups)
    assert program.one(f"{DYNAMIC}Preflight").inputs["arch"] == expected


def test_members_spread_as_far_as_the_cluster_allows(declare: Declare) -> None:
    for workload in workloads(declare()).values():
        constraints = workload.pod["topologySpreadConstraints"]
        assert [c["topologyKey"] for c in constraints] == [
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        ]
        for constraint in constraints:
            assert constraint["whenUnsatisfiable"] == "ScheduleAnyway", "one node is no reason"
            assert constraint["labelSelector"] == workload.spec["selector"]
