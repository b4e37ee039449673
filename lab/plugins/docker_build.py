"""Build an image and push it, with the real Docker client and Engine."""

import base64
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab.cache import PROGRESS_SECONDS


class DockerError(Exception):
    """What Docker refused, with the end of its output and the next thing to do."""


@dataclass(frozen=True)
class Recipe:
    """One image as the program declares it."""

    image_name: str
    context: Path
    dockerfile: Path
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])
    platform: str = ""
    target: str = ""
    network: str = ""
    cache_from: Sequence[str] = ()

    @property
    def repository(self) -> str:
        """Image name without its tag."""
        folder, slash, last = self.image_name.rpartition("/")
        return folder + slash + last.partition(":")[0]

    @property
    def registry(self) -> str:
        """Registry of the image name; Docker Hub where it names none."""
        first, slash, _ = self.image_name.partition("/")
        is_host = slash and ("." in first or ":" in first or first == "localhost")
        return first if is_host else "docker.io"

    def build_command(self) -> list[str]:
        options = ["--file", str(self.dockerfile), "--tag", self.image_name]
        options += [f"--build-arg={name}={text}" for name, text in sorted(self.arguments.items())]
        options += [f"--platform={self.platform}"] * bool(self.platform)
        options += [f"--target={self.target}"] * bool(self.target)
        options += [f"--network={self.network}"] * bool(self.network)
        options += [f"--cache-from={image}" for image in self.cache_from]
        return ["build", "--progress=plain", *options, str(self.context)]


@dataclass(frozen=True)
class Login:
    """Account at the registry; without a user name none is used."""

    server: str = ""
    username: str = ""
    password: str = ""


class Docker:
    """The Docker client, and the one command of it that may be running."""

    def __init__(self, client: str, say: Callable[[str], None]) -> None:
        self._client = client
        self._say = say
        self._running: subprocess.Popen[str] | None = None
        self._cancelled = False

    def build(self, recipe: Recipe) -> None:
        self._run(f"build of {recipe.image_name}", recipe.build_command())

    def push(self, recipe: Recipe, login: Login) -> None:
        with tempfile.TemporaryDirectory() as folder:
            config = []
            if login.username:
                account = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
                server = login.server or recipe.registry
                text = json.dumps({"auths": {server: {"auth": account}}})
                Path(folder, "config.json").write_text(text)
                config = ["--config", folder]
            self._run(f"push of {recipe.image_name}", [*config, "push", recipe.image_name])

    def inspect(self, recipe: Recipe) -> dict[str, object]:
        """Return what the Engine knows of the image."""
        text = self._run(f"inspect of {recipe.image_name}", ["inspect", recipe.image_name])
        return json.loads(text)[0]

    def cancel(self) -> None:
        """End the running command, if any; later ones do not start."""
        self._cancelled = True
        if self._running:
            with suppress(ProcessLookupError):
                self._running.terminate()

    def _run(self, doing: str, arguments: Sequence[str]) -> str:
        if self._cancelled:
            raise DockerError(f"Docker {doing} was cancelled.")
        try:
            self._running = subprocess.Popen(
                [self._client, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                # RUN --network needs BuildKit, which an old client does not choose itself.
                env={**os.environ, "DOCKER_BUILDKIT": "1"},
            )
        except FileNotFoundError as missing:
            raise DockerError(
                f"No Docker client at {self._client}.\n"
                "Next: install Docker, or configure a prebuilt image by its digest"
            ) from missing
        done = threading.Event()
        threading.Thread(target=self._tell, args=(doing, done), daemon=True).start()
        output, _ = self._running.communicate()
        done.set()
        if self._running.returncode != 0:
            raise DockerError(failure(doing, output))
        return output

    def _tell(self, doing: str, done: threading.Event) -> None:
        seconds = 0
        while not done.wait(PROGRESS_SECONDS):
            seconds += PROGRESS_SECONDS
            self._say(f"Docker {doing}, {seconds} s")


def failure(doing: str, output: str) -> str:
    """Return one clear message: what failed, the end of Docker's output, the next thing to do."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    shown = "\n".join(f"  | {line}" for line in lines[-10:] or ["(no output)"])
    # BuildKit and the classic builder write it differently.
    if "cannot connect to the docker daemon" in output.lower():
        todo = "start the Docker Engine, or point DOCKER_HOST at one that runs"
    elif doing.startswith("push"):
        todo = "check that the registry of the image name is reachable and lets this account push"
    else:
        todo = "correct the build as the last lines say, then run the command again"
    return f"Docker {doing} failed; the end of its output:\n{shown}\nNext: {todo}"
