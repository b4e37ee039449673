"""Data that outlives its stack."""

from __future__ import annotations

import time

from tests.faults.run import Run
from tests.faults.scenario import Scenario


def comes_back(run: Run) -> None:
    """`destroy` with data kept, then `up`: same cluster, same members, same data, and no seed."""
    cluster, stack = run.cluster, run.stack
    stack.set(storage={"retain": True})
    try:
        stack.up()
        cluster_id, ids = stack.outputs()["clusterId"], cluster.ids()
        run.stop_writing()
        stack.destroy()
        kept = [claim["metadata"]["name"] for claim in stack.objects("pvc")]
        assert sorted(kept) == [f"data-{pod}" for pod in sorted(ids)], f"kept are {kept}"
        stack.kubectl("delete", "events", "--all")
        began = time.time_ns()
        up = stack.up()
        run.record("destroyed and brought up again", up.seconds, since_ns=began)
        events = stack.objects("events", "--field-selector=reason=Started")
        started = {event["involvedObject"]["name"] for event in events}
        assert not [pod for pod in started if "seed" in pod], f"started were {sorted(started)}"
        assert stack.outputs()["clusterId"] == cluster_id, "another cluster"
        assert cluster.ids() == ids, f"other members than before: {ids}, {cluster.ids()}"
    finally:
        stack.set(storage={"retain": False})
        stack.up()


SCENARIOS = (Scenario("20", "destroyed with data kept, and brought up again", comes_back),)
