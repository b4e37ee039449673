"""Build programs from tagged Go modules, as locked by the go.mod and go.sum in lab/programs."""

import functools
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.commands import Task
from lab.errors import LabError

# Nobody debugs these programs: without debug data they compile and link faster and are smaller.
_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")


@dataclass(frozen=True)
class Module:
    """A folder with a go.mod, and what is built in it."""

    folder: Path
    programs: tuple[tuple[str, str], ...]
    """Pairs of a program's name and its package."""
    version_of: str = ""
    """Module whose version in go.mod fills `{version}` of `variables`."""
    variables: tuple[str, ...] = ()
    """String variables to set at link time, `package.name=value`."""

    @property
    def version(self) -> str:
        """Version of `version_of`, as go.mod requires it, without the leading `v`."""
        text = (self.folder / "go.mod").read_text()
        found = re.search(rf"^(?:require)?\s*{re.escape(self.version_of)} v(\S+)", text, re.M)
        if not found:
            raise LabError(
                f"{self.folder / 'go.mod'} does not require {self.version_of}.",
                f"git checkout -- {self.folder}",
            )
        return found[1]

    def inputs(self) -> list[str | Path]:
        """Return everything that the built programs depend on, for the cache's key."""
        sources = [f for f in sorted(self.folder.iterdir()) if f.suffix in (".go", ".mod", ".sum")]
        words = [name + package for name, package in self.programs]
        return [*sources, *words, *self._link_flags(), *_FLAGS, go_version(self.folder)]

    def build(self, target: Path, task: Task) -> None:
        """Build the programs into the folder `target`."""
        for name, package in self.programs:
            command = ["go", "build", *_FLAGS, *self._link_flags(), "-o", target / name, package]
            task.run(f"building {name}", command, self.folder, _environment())

    def module_folder(self, module: str) -> Path:
        """Return where Go keeps the source of a module that go.mod requires."""
        command = ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module]
        return Path(_output(command, self.folder))

    def _link_flags(self) -> list[str]:
        version = self.version if self.version_of else ""
        settings = [f"-X {setting.format(version=version)}" for setting in self.variables]
        return ["-ldflags", " ".join(["-s", "-w", *settings])]


@functools.cache
def go_version(folder: Path) -> str:
    """Return version and platform of the Go that builds in `folder`."""
    if not shutil.which("go"):
        raise LabError(
            "No `go` on PATH; the lab's programs are built with Go 1.26 or later.",
            "install Go from https://go.dev/dl and put its bin folder on PATH",
        )
    return f"{_output(['go', 'env', 'GOVERSION'], folder)} {platform.system()} {platform.machine()}"


def _output(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LabError(
            f"`{' '.join(command)}` in {folder} failed: {done.stderr.strip()}",
            "install Go 1.26 or later from https://go.dev/dl and put its bin folder on PATH",
        )
    return done.stdout.strip()


def _environment() -> dict[str, str]:
    """Static programs, and no settings of the user's own that change what is built.

    GOGC: the compiler collects its garbage less often, which costs memory and saves time.
    """
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOGC": "400"}
