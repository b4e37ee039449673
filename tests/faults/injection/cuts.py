"""Ends the process of the dynamic resources after one call of a sequence that changes something.

A scenario copies this file beside a copy of the program and has the sequences hand their `Kube` to
`watched`. It imports nothing of the suite, which is not there. Only calls that change something
count: a cut after one that reads leaves what the change before it has left.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

VARIABLE = "ETCD_CUTS"
"""Names the folder with `<sequence>.cut` (the number of the call after which to end) and, written
here, `<sequence>.calls` (one line for each call)."""

_READS = frozenset({"list", "status", "hashkv", "get"})


def watched(kube: Any, sequence: str) -> Any:
    """The same `components.kube.client.Kube`, with its calls counted."""
    count = _counter(Path(os.environ[VARIABLE]), sequence)
    api, execute = kube.core.api_client, kube.exec
    client: Any = type(api)

    class Counted(client):
        """A class, and no attribute of this client: commands are run through copies of it."""

        def call_api(self, path: str, method: str, *rest: Any, **named: Any) -> Any:
            answer = super().call_api(path, method, *rest, **named)
            if method != "GET":
                parameters: dict[str, Any] = rest[0] if rest else {}
                _, _, place = path.partition("/namespaces/{namespace}/")
                count(f"{method} {place.format(**parameters)}")
            return answer

    def counted_exec(pod: str, *command: str, **named: Any) -> str:
        answer = execute(pod, *command, **named)
        words = [word for word in command if word.replace("-", "").isalpha()]
        if not _READS & set(words):
            count(" ".join(words[:3]))
        return answer

    api.__class__, kube.exec = Counted, counted_exec
    return kube


def _counter(folder: Path, sequence: str) -> Callable[[str], None]:
    calls, cut = folder / f"{sequence}.calls", folder / f"{sequence}.cut"

    def count(what: str) -> None:
        with calls.open("a") as log:
            log.write(f"{what}\n")
        if cut.exists() and len(calls.read_text().splitlines()) == int(cut.read_text()):
            cut.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    return count
