"""Which worker of a run runs which files: the first ones have a lab each, and one needs none.

What is outside tests/e2e needs no Kubernetes, and the end-to-end tests mostly wait for theirs: done
beside them it costs little time, and no lab.
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

WITHOUT_LAB = "gw2"
NEED_LAB = "tests/e2e/"


class Beside(LoadFileScheduling):
    """A file is one worker's. The worker without a lab takes those that need none, from the back,
    and ends when there are no more; for all others nothing is different.

    One that stands in for a worker that has crashed gets a lab when it needs one.
    """

    def schedule(self) -> None:
        # Where there are fewer files than workers the last ones go: not those that have a lab.
        nodes = sorted(self.assigned_work, key=lambda node: str(node.gateway.id))
        self.assigned_work = {node: self.assigned_work[node] for node in nodes}
        super().schedule()

    def _assign_work_unit(self, node: WorkerController) -> None:
        # Asked here, too: `schedule` gives everybody the first file by this alone.
        if node.gateway.id == WITHOUT_LAB:
            if not self._free():
                node.shutdown()
                return
            self.workqueue.move_to_end(self._free()[-1], last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if node.gateway.id == WITHOUT_LAB and not self._free():
            # It runs what it has before it ends.
            node.shutdown()
            return
        super()._reschedule(node)

    def _free(self) -> list[str]:
        """Files that need no lab and are nobody's yet."""
        return [file for file in self.workqueue if not file.startswith(NEED_LAB)]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Beside | None:
    return Beside(config, log) if config.getoption("dist") == "loadfile" else None
