"""A unit's pod as Kubernetes tells it: its conditions, and how its container is and was."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

NIGHT = datetime(2026, 11, 27, 3, 12, 40, tzinfo=UTC)

STARVED = SimpleNamespace(reason="OOMKilled", exit_code=137, finished_at=NIGHT)
BROKEN = SimpleNamespace(reason="Error", exit_code=1, finished_at=NIGHT)


def pod(
    *,
    runs: bool = True,
    ready: bool = False,
    ending: bool = False,
    why: str = "",
    waiting: str | None = None,
    ended: Any = None,
) -> Any:
    """`ready`: by its condition. What its container last said of itself is that it is.

    `waiting`: why its container does not run; `ended`: how it did so before.
    """
    runs = runs and not waiting
    said = SimpleNamespace(reason=waiting, message="back-off 5m0s") if waiting else None
    state = SimpleNamespace(running=object() if runs else None, waiting=said)
    last = SimpleNamespace(terminated=ended)
    memory = SimpleNamespace(limits={"memory": "1536Mi"})
    conditions = [
        SimpleNamespace(type="PodScheduled", status=str(not why), message=why, reason=None),
        SimpleNamespace(
            type="Ready",
            status=str(ready),
            last_transition_time=NIGHT,
            reason="ContainersNotReady",
        ),
    ]
    return SimpleNamespace(
        metadata=SimpleNamespace(
            name="etcd-1",
            uid="this",
            creation_timestamp=NIGHT,
            deletion_timestamp=NIGHT if ending else None,
        ),
        spec=SimpleNamespace(
            node_name=None,
            scheduling_gates=None,
            containers=[SimpleNamespace(name="etcd", resources=memory)],
        ),
        status=SimpleNamespace(
            phase="Running" if runs else "Pending",
            conditions=conditions,
            init_container_statuses=None,
            container_statuses=[
                SimpleNamespace(name="etcd", state=state, last_state=last, ready=True, image="etcd")
            ],
        ),
    )
