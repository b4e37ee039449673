"""Programs beside the lab's Kubernetes, on the node's own address.

They run in the lab's network namespace, so both this machine and the pods reach them, and end with
the lab at the latest.
"""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import processes
from lab.addresses import Addresses
from lab.state import Lab, read_addresses


@contextmanager
def beside(lab: Lab, folder: Path) -> Generator[Runner]:
    """What starts programs; all of them are ended at the end. Their logs are in `folder`."""
    addresses = read_addresses(lab)
    assert addresses is not None, "the lab is up"
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield Runner(lab, addresses, folder, stack)


@dataclass(frozen=True)
class Runner:
    """Starts programs in the lab's network namespace; `stack` ends them."""

    lab: Lab
    addresses: Addresses
    folder: Path
    stack: ExitStack

    def program(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                processes.inside(self.lab, self.addresses, command), stdout=log, stderr=log
            )
        self.stack.callback(_end, process)

    def wait(self, url: str, seconds: float = 20) -> None:
        """Until something answers there, whatever it says."""
        deadline = time.monotonic() + seconds
        while not _answers(url):
            logs: Mapping[str, str] = {p.name: p.read_text() for p in self.folder.glob("*.log")}
            assert time.monotonic() < deadline, f"{url} does not answer; {logs}"
            time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
