"""What is read of a member's pod is its own container's, wherever an injected sidecar stands.

In the pod's spec it may be the first (Istio: holdApplicationUntilProxyStarts; Linkerd:
proxy-await). How containers are the kubelet tells sorted by their names.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from components.change.room import lowered
from components.kube.pods import (
    lacks_image,
    may_be_recreated,
    may_pass,
    never_started,
    obstacle,
    on_the_way,
    quota_of,
    running,
)
from components.kube.troubles import more_memory, pending_reason, trouble
from tests.support.namespace import NOW, pod

SIDECAR = "agent"
"""Comes before the member's container by its name, too."""


def meshed(own: Any, **sidecar: Any) -> Any:
    """The pod with a sidecar before all others, of these traits (see `namespace.pod`)."""
    own.spec.containers[0].env = [SimpleNamespace(name="MEMBER_QUOTA_BYTES", value="4096")]
    resources = SimpleNamespace(limits=None)
    own.spec.containers.insert(0, SimpleNamespace(name=SIDECAR, resources=resources, env=None))
    (state,) = pod("other", **sidecar).status.container_statuses
    state.name = SIDECAR
    own.status.container_statuses.insert(0, state)
    return own


def prepared(own: Any, *, native: bool = False, **injected: Any) -> Any:
    """The pod with what a webhook has put before its containers, of these traits: one that is to
    end first, or a native sidecar, which goes on."""
    (state,) = pod("other", **injected).status.container_statuses
    state.name = "proxy" if native else "setup"
    own.status.init_container_statuses = [state]
    own.spec.node_name = "a"
    return own


HELD = "PodInitializing"
"""Why the member's container waits meanwhile."""


@pytest.mark.parametrize("native", [True, False], ids=["a native sidecar", "an init container"])
def test_what_comes_before_the_member_and_fails_is_told_with_its_name(native: bool) -> None:
    unit = prepared(pod("etcd-1", waiting=HELD), native=native, waiting="CrashLoopBackOff")
    name = "proxy" if native else "setup"
    assert obstacle(unit) == f"pod etcd-1: container {name}: CrashLoopBackOff: etcd"
    assert pending_reason(unit) == f"etcd-1: container {name}: CrashLoopBackOff"
    assert not on_the_way(unit, NOW)


def test_a_pull_for_what_comes_before_the_member_may_pass_too() -> None:
    unit = prepared(pod("etcd-1", waiting=HELD), waiting="ErrImagePull")
    assert may_pass(unit, {})
    assert not lacks_image(unit)


@pytest.mark.parametrize("waiting", [None, HELD], ids=["it runs", "it is being prepared"])
def test_who_only_waits_for_its_turn_is_no_obstacle(waiting: str | None) -> None:
    unit = prepared(pod("etcd-1", waiting=HELD), waiting=waiting)
    assert obstacle(unit) is None
    assert pending_reason(unit) == "etcd-1: PodInitializing"
    assert on_the_way(unit, NOW)


def test_the_quota_is_the_members_so_that_a_lower_one_is_seen() -> None:
    unit = meshed(pod("etcd-1"))
    assert quota_of(unit) == 4096
    assert lowered({"bytes": 4095, "memory": "1Gi"}, [unit])


def test_more_memory_is_twice_the_members() -> None:
    for unit, status in ((pod("etcd-1", starved=True), {}), (pod("etcd-1"), {"exitCode": -9})):
        assert more_memory(meshed(unit), "units", status) == (
            "pulumi config set --path etcd:units.memory 2Gi, or more, then pulumi up"
        )


def test_no_memory_of_the_members_helps_a_sidecar_that_lacks_some() -> None:
    unit = meshed(pod("etcd-1"), starved=True)
    assert more_memory(unit, "units") is None
    ended = f"{NOW:%Y-%m-%d %H:%M:%S} UTC"
    assert trouble(unit, None) == f"etcd-1: not ready, container agent: OOMKilled at {ended}"


def test_a_member_runs_whatever_its_sidecar_does() -> None:
    assert running(meshed(pod("etcd-1"), waiting="CrashLoopBackOff"))
    assert not running(meshed(pod("etcd-1", waiting="ContainerCreating")))


def test_a_member_that_waits_for_its_sidecar_has_not_started_and_is_on_its_way() -> None:
    unit = meshed(pod("etcd-1", waiting="PodInitializing"))
    unit.spec.node_name = "a"
    assert never_started(unit)
    assert on_the_way(unit, NOW)


@pytest.mark.parametrize(
    ("unit", "wants"),
    [
        pytest.param(meshed(pod("etcd-1", waiting="ErrImagePull")), True, id="its own"),
        pytest.param(meshed(pod("etcd-1"), waiting="ErrImagePull"), False, id="the sidecar's"),
    ],
)
def test_the_image_that_is_configured_is_the_members(unit: Any, wants: bool) -> None:
    assert lacks_image(unit) is wants
    assert obstacle(unit) is not None, "the pod is not ready without either"
    assert may_pass(unit, {})


def test_what_a_pod_waits_for_is_told_with_the_container() -> None:
    unit = meshed(pod("etcd-1"), waiting="CrashLoopBackOff")
    assert pending_reason(unit) == "etcd-1: container agent: CrashLoopBackOff"
    assert obstacle(unit) == "pod etcd-1: container agent: CrashLoopBackOff: etcd"


def test_no_member_that_runs_is_recreated_for_its_sidecars_sake() -> None:
    """All at once would be: with a mesh that is down, every pod's sidecar fails."""
    unit = meshed(pod("etcd-1", volume=True, restarts=1), waiting="CrashLoopBackOff")
    assert not may_be_recreated(unit, {"etcd-1"})
    crashing = pod("etcd-1", volume=True, restarts=1, waiting="CrashLoopBackOff")
    assert may_be_recreated(meshed(crashing), {"etcd-1"})
