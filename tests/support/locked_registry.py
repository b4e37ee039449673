"""A registry beside the lab's own, which takes and gives images for a password alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab import tools
from lab.state import Lab
from tests.support.beside import beside

_PORT = 5001
"""Free in the lab's network namespace, whose programs are all known."""

USER, PASSWORD = "nodes", "a-password-of-the-tests"
_ACCOUNTS = f"{USER}:$2b$04$abcdefghijklmnopqrstuuKFZ0q2semF/p2kYa7/GtH6iuoBOhxfK\n"
"""As `htpasswd -B` writes it, for that password."""


@dataclass(frozen=True)
class LockedRegistry:
    """A running registry."""

    address: str
    """For Docker and for the nodes, which are in one network namespace with it."""

    def login(self) -> str:
        """What `docker login` would write."""
        account = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return json.dumps({"auths": {self.address: {"auth": account}}})


@contextmanager
def locked_registry(lab: Lab, folder: Path) -> Generator[LockedRegistry]:
    """Run a registry, ended at the end."""
    program = tools.ensure(["docker-registry"])["docker-registry"]
    folder.mkdir(parents=True)
    accounts, config = folder / "accounts", folder / "config.yaml"
    accounts.write_text(_ACCOUNTS)
    auth = {"htpasswd": {"realm": "tests", "path": str(accounts)}}
    storage = {"filesystem": {"rootdirectory": str(folder / "images")}}
    http = {"addr": f":{_PORT}"}
    config.write_text(
        yaml.safe_dump({"version": 0.1, "storage": storage, "http": http, "auth": auth})
    )
    with beside(lab, folder) as run:
        run.program(
            "registry", "env", "OTEL_TRACES_EXPORTER=none", str(program), "serve", str(config)
        )
        run.wait(f"http://{run.addresses.node}:{_PORT}/v2/")
        yield LockedRegistry(f"localhost:{_PORT}")
