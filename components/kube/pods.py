"""Facts about a StatefulSet's pods, as Kubernetes has them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from components.names import CONTAINER, GATE

REVISION_LABEL = "controller-revision-hash"
"""On every pod of a StatefulSet: which of its templates the pod was made from."""

_LOOP = "CrashLoopBackOff"

_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff")
PULLS = 2
"""After so many pulls that have failed none is waited for. Registries are slow, busy and away for a
moment like any service; the kubelet tries again after 10 s, then after twice as long each time. How
long a pull takes, and how long the pod's volumes before it, nobody knows."""

IN_TURN = ("ContainerCreating", "PodInitializing")
"""Why a container waits that has nothing amiss of its own: the kubelet has not come to it yet."""

_BAD_NAME = "InvalidImageName"
_FATAL = {
    *_NO_IMAGE,
    _BAD_NAME,
    "CreateContainerConfigError",
    # The supervisor waits inside the process for whatever may pass. What ends itself again and
    # again does so by no wait: for want of memory, or since the program in the image is no good.
    _LOOP,
}


def by_ordinal(objects: Iterable[Any], stem: str) -> dict[int, Any]:
    """Those named `<stem>-<ordinal>`."""
    return {ordinal: o for o in objects if (ordinal := ordinal_of(o, stem)) is not None}


def of_stateful_set(objects: Iterable[Any], stem: str) -> list[Any]:
    """The same in the order of their ordinals."""
    own = by_ordinal(objects, stem)
    return [own[ordinal] for ordinal in sorted(own)]


def ordinal_of(found: Any, stem: str) -> int | None:
    """The ordinal in the name of a StatefulSet's pod or claim; None if it is no such."""
    start, _, ordinal = found.metadata.name.rpartition("-")
    return int(ordinal) if start == stem and ordinal.isdigit() else None


def ending(found: Any) -> bool:
    """Whether a pod, or any other object, has been told to end."""
    return found.metadata.deletion_timestamp is not None


def newest_revision(stateful_set: Any) -> str | None:
    """Kubernetes' name for its newest template; None while its controller has not observed it."""
    status = stateful_set.status
    if (status.observed_generation or 0) < stateful_set.metadata.generation:
        return None
    return status.update_revision


def is_current(pod: Any, newest: str) -> bool:
    """Whether it was made from the template of this revision."""
    return pod.metadata.labels.get(REVISION_LABEL) == newest


def outdated(units: Iterable[Any], newest: str | None) -> list[str]:
    """Those that were not made from the newest template, by name; none while that is not known."""
    if not newest:
        return []
    return [pod.metadata.name for pod in units if not is_current(pod, newest)]


def own_container(pod: Any) -> Any:
    """The member's own, as it is made. A sidecar may stand before it (Istio:
    holdApplicationUntilProxyStarts; Linkerd: proxy-await)."""
    return next(c for c in pod.spec.containers if c.name == CONTAINER)


def states(pod: Any) -> list[Any]:
    """How all of its containers are, in the order in which they start: before the member's own come
    init containers, native sidecars among them, which a webhook may have put in."""
    first = pod.status.init_container_statuses or []
    return [*first, *(pod.status.container_statuses or [])]


def own_status(pod: Any) -> Any | None:
    """How the member's own container is; None while the kubelet has said nothing of it.

    The kubelet sorts them by name.
    """
    states = pod.status.container_statuses or []
    return next((state for state in states if state.name == CONTAINER), None)


def ready_seconds(pod: Any, now: datetime) -> float:
    """For how long the pod has been ready without a break, at least; 0 if it is not."""
    since = _ready_since(pod)
    # Both times are cut to whole seconds.
    return 0.0 if since is None else max(0.0, (now - since).total_seconds() - 1)


def on_volume(pod: Any) -> bool:
    """Whether its data outlives it, on a claim."""
    return any(v.persistent_volume_claim is not None for v in pod.spec.volumes or [])


def quota_of(pod: Any) -> int:
    """etcd's quota in it, in bytes; 0 where nothing is said of one."""
    variables = {v.name: v.value for v in own_container(pod).env or []}
    return int(variables.get("MEMBER_QUOTA_BYTES") or 0)


def gated(pod: Any) -> bool:
    """Whether our gate holds it; another's may do so as well, and is none of our business."""
    return any(gate.name == GATE for gate in pod.spec.scheduling_gates or [])


def running(pod: Any) -> bool:
    """Whether its container runs, ready or not, in a pod that is not being ended."""
    own = own_status(pod)
    return not ending(pod) and own is not None and own.state.running is not None


def ready(pod: Any) -> bool:
    """Whether the member in it votes and answers linearizable reads: its readiness says so."""
    return _ready_since(pod) is not None


def _ready_since(pod: Any) -> datetime | None:
    """By the pod's condition, which Kubernetes withdraws when the node falls silent. What the
    container's status says is then only the last that was heard of it."""
    for condition in pod.status.conditions or []:
        if condition.type == "Ready" and condition.status == "True" and running(pod):
            return condition.last_transition_time
    return None


def ready_first(pods: Iterable[Any]) -> list[Any]:
    """In the order in which they are asked: a pod whose node is dead keeps a question for long."""
    return sorted(pods, key=ready, reverse=True)


def unheard(pod: Any) -> bool:
    """Whether nothing is known of it but that it was ready when its node was last heard.

    Where a node falls silent Kubernetes withdraws the pod's condition, for no reason (node
    lifecycle: MarkPodsNotReady); a kubelet has one. What runs there may be well all the same.
    """
    conditions = [c for c in pod.status.conditions or [] if c.type == "Ready"]
    return running(pod) and any(c.status == "False" and not c.reason for c in conditions)


def never_started(pod: Any) -> bool:
    """Whether its container has not run yet, so that it cannot have written anything. A sidecar
    may have: none has the data's volume.

    Restarts are counted when they have happened: a container that has ended once and whose image is
    pulled again for the next start (`Always`) has none, but an end.
    """
    own = own_status(pod)
    return own is None or (_waits_without_restarts(own) and own.last_state.terminated is None)


def _waits_without_restarts(own: Any) -> bool:
    return own.state.waiting is not None and not own.restart_count


def obstacle(pod: Any) -> str | None:
    """Why this pod will not start by itself, in Kubernetes' words; None if nothing is known.

    None of one that is ending: another comes in its place.
    """
    if ending(pod):
        return None
    for state in states(pod):
        waiting = state.state.waiting
        if waiting is not None and waiting.reason in _FATAL:
            why = f"{waiting_reason(state)}: {waiting.message or state.image}"
            return f"pod {pod.metadata.name}: {why}"
    return None


def waiting_reason(state: Any) -> str:
    """Which container waits, and Kubernetes' reason for it; of one that comes back again and again,
    how it has ended."""
    reason = state.state.waiting.reason
    ended = state.last_state.terminated if reason == _LOOP else None
    said = f"{reason} ({ended.reason}, exit code {ended.exit_code})" if ended else reason
    return f"{whose(state)}{said}"


def whose(state: Any) -> str:
    """The container, for what is said of it; the member's own goes without saying."""
    return "" if state.name == CONTAINER else f"container {state.name}: "


def lacks_image(pod: Any) -> bool:
    """Whether it does not start for want of its image, which a sidecar's is not."""
    return _waits_for([own_status(pod)], *_NO_IMAGE, _BAD_NAME)


def pull_failed(pod: Any) -> bool:
    """Whether a container waits for its image, of which a pull has failed."""
    return _waits_for(states(pod), *_NO_IMAGE)


def pulled_in_vain(pod: Any, since: datetime) -> bool:
    """Whether it was made before that, waits for its image still, and has never run."""
    waits = pull_failed(pod) and never_started(pod) and not ending(pod)
    return waits and pod.metadata.creation_timestamp < since


def may_pass(pod: Any, failed_pulls: Mapping[str, int]) -> bool:
    """Whether its obstacle is one that may still pass by itself: a pull that has failed once.

    `failed_pulls`: see `events.failed_pulls`. What a pod says of itself stays the same while it
    pulls again.
    """
    return pull_failed(pod) and failed_pulls.get(str(pod.metadata.uid), 0) < PULLS


def _waits_for(states: Iterable[Any], *reasons: str) -> bool:
    waits = [state.state.waiting for state in states if state is not None]
    return any(waiting is not None and waiting.reason in reasons for waiting in waits)


def overdue(pod: Any, now: datetime) -> bool:
    """Whether it should have ended by now: the time that it was given for that is over."""
    by = pod.metadata.deletion_timestamp
    return by is not None and by < now


def on_the_way(pod: Any, now: datetime) -> bool:
    """Whether it ends in its time, so that another comes, is being started, or runs, as a node says
    that is heard."""
    if ending(pod):
        return not overdue(pod, now)
    if running(pod):
        return not unheard(pod)
    own = own_status(pod)
    starts = own is None or _waits_without_restarts(own)
    return pod.spec.node_name is not None and starts and obstacle(pod) is None


def may_be_recreated(pod: Any, voters: Collection[str] | None) -> bool:
    """Whether a pod that cannot start may be deleted: no data goes with it.

    `voters`: the pods of the cluster's voters; None where nobody answers. Without a volume a
    voter's data is in its pod, through all restarts of the container (emptyDir), and where there is
    no quorum it may be what the others lack.
    """
    if never_started(pod):
        return True
    if running(pod):
        return False  # It is a sidecar that does not start: the member may well serve.
    lasting = on_volume(pod) or (voters is not None and pod.metadata.name not in voters)
    return lasting and obstacle(pod) is not None


def stuck(units: Iterable[Any], newest: str, voters: Collection[str] | None) -> list[Any]:
    """Those of an older template than the newest revision that cannot start, and may be deleted."""
    return [
        pod
        for pod in units
        if not (is_current(pod, newest) or ending(pod)) and may_be_recreated(pod, voters)
    ]
