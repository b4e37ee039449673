"""Why a pod does not come, in words, and what helps. Pure."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from components.kube.pods import (
    IN_TURN,
    ending,
    lacks_image,
    own_container,
    own_status,
    ready,
    running,
    states,
    waiting_reason,
    whose,
)
from components.names import CONTAINER
from components.settings.quantity import doubled

_OUT_OF_MEMORY = "OOMKilled"
"""With cgroup v2 the kernel ends all of such a container, the supervisor too (kubernetes#117793;
kubelet: singleProcessOOMKill, which is false by default)."""
_GATED = "SchedulingGated"
_KILLED = -signal.SIGKILL
"""The exit code of an etcd that was killed, as its supervisor tells it. Where the kernel ends one
process for want of memory, and not its container (cgroup v1), Kubernetes says nothing of it."""


def words(status: Mapping[str, Any], group: str) -> str:
    """What a supervisor says of itself, for people; `group`: of the settings, for its pod."""
    phase = str(status.get("phase", "no word from its supervisor"))
    killed = f" (killed, perhaps for want of memory: etcd:{group}.memory)"
    return phase + killed if _was_killed(status) else phase


def more_memory(pod: Any, group: str, status: Mapping[str, Any] | None = None) -> str | None:
    """What to do about a pod whose container was ended for want of memory, or whose etcd was, as
    far as its supervisor's status says it; None if neither was.

    `group`: of the settings, that says how much it has.
    """
    if not _starved(own_status(pod)) and not _was_killed(status or {}):
        return None
    enough = doubled(own_container(pod).resources.limits["memory"])
    return f"pulumi config set --path etcd:{group}.memory {enough}, or more, then pulumi up"


def remedy(pod: Any, group: str) -> str:
    """What to do about a pod that will not start by itself: see `pods.obstacle`."""
    if next_step := more_memory(pod, group):
        return next_step
    if lacks_image(pod):
        return (
            "check image.registry, image.digest and the right to pull, which the nodes have or "
            "image.pullSecrets give, then pulumi up"
        )
    return "pulumi up"


def _was_killed(status: Mapping[str, Any]) -> bool:
    return status.get("exitCode") == _KILLED


def _starved(state: Any | None) -> bool:
    ended = state.last_state.terminated if state is not None else None
    return ended is not None and ended.reason == _OUT_OF_MEMORY


def pending_reason(pod: Any, warning: str | None = None) -> str:
    """What a pod that does not run waits for; `warning`: Kubernetes' newest, where the pod itself
    has no reason (see `unexplained`)."""
    if ending(pod):
        return f"{pod.metadata.name}: ending since {_time(pod.metadata.deletion_timestamp)}"
    if homeless := _homeless(pod):
        return f"{pod.metadata.name}: {homeless}"
    state = _told(pod)
    reason = waiting_reason(state) if state else pod.status.phase
    return f"{pod.metadata.name}: {reason}{f' ({warning})' if warning else ''}"


def unexplained(pod: Any) -> bool:
    """Whether a pod that does not run says nothing of what it waits for.

    So it is while its volume is being made or attached (the scheduler waits in PreBind for a class
    with WaitForFirstConsumer), or its network: for ever, where that fails. Events tell.
    """
    if ending(pod) or running(pod) or _homeless(pod):
        return False
    state = _told(pod)
    return state is None or state.state.waiting.reason in IN_TURN


def _homeless(pod: Any) -> str | None:
    """Why there is no node for it, in the scheduler's words; None if it says nothing.

    The word of a gate stays when that is off, until the scheduler has one of its own
    (kubernetes: pkg/registry/core/pod/strategy.go, applySchedulingGatedCondition).
    """
    for condition in pod.status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            if condition.reason == _GATED and not pod.spec.scheduling_gates:
                continue
            return condition.message or condition.reason
    return None


def _told(pod: Any) -> Any | None:
    """The container by which it is told what the pod waits for; None if none waits. The first that
    does so for a reason of its own, before those that only wait their turn."""
    waiting = [state for state in states(pod) if state.state.waiting is not None]
    amiss = [state for state in waiting if state.state.waiting.reason not in IN_TURN]
    own = [state for state in waiting if state.name == CONTAINER]
    return next(iter([*amiss, *own, *waiting]), None)


def _runs_unready(pod: Any, said: str | None) -> str | None:
    """What its supervisor has said; that the container was out of memory before no log can say."""
    starved = [state for state in pod.status.container_statuses if _starved(state)]
    known = [
        f"not ready, {whose(state)}{_OUT_OF_MEMORY} at "
        f"{_time(state.last_state.terminated.finished_at)}"
        for state in starved
    ]
    known += [said] if said else []
    return f"{pod.metadata.name}: {'; '.join(known)}" if known else None


def trouble(
    pod: Any, node: str | None, said: str | None = None, warning: str | None = None
) -> str | None:
    """Why a unit is not ready, as far as is known; None if it is, or if nothing is.

    `node`: what is wrong with the pod's node. Kubernetes makes no new pod in the place of one whose
    node does not confirm its end (StatefulSet: "Force Delete StatefulSet Pods"). `said`: by its
    supervisor, if that was asked, since Kubernetes does not know how an etcd in it is.
    `warning`: see `pending_reason`.
    """
    if ready(pod):
        return None
    pending = _runs_unready(pod, said) if running(pod) else pending_reason(pod, warning)
    if node is None:
        return pending
    return f"{pending or pod.metadata.name + ': not ready'}; its {node}"


def node_problem(node: Any) -> str | None:
    """Why a node neither starts nor ends pods; None if it is ready."""
    for condition in node.status.conditions or []:
        if condition.type == "Ready" and condition.status != "True":
            since = _time(condition.last_transition_time)
            return f"node {node.metadata.name} is not ready since {since} ({condition.reason})"
    return None


def crowded(pods: Iterable[Any], quorum: int) -> list[str]:
    """The nodes with so many units that without one of them the rest is no quorum.

    Empty for a single unit, which has nothing to be spread over.
    """
    found = [pod for pod in pods if pod.spec.node_name]
    if len(found) < 2:
        return []
    by_node: dict[str, list[str]] = {}
    for pod in found:
        by_node.setdefault(pod.spec.node_name, []).append(pod.metadata.name)
    return [
        f"{', '.join(units)} are on node {node}: without it there is no quorum"
        for node, units in sorted(by_node.items())
        if len(units) > 1 and len(found) - len(units) < quorum
    ]


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"
