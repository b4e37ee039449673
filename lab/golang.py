"""Build programs from Go modules, as locked by the go.mod and go.sum in lab/programs."""

import functools
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab.commands import Task
from lab.errors import LabError

SOURCES = Path(__file__).parent / "programs"
"""What is built here, a folder each."""

# Nobody debugs these programs: without debug data they compile and link faster and are smaller.
_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")


@dataclass(frozen=True)
class Embedded:
    """A JSON file that a module embeds and is published without: its own build makes it."""

    module: str
    source: str
    """The file that it is made of."""
    target: str
    added: tuple[tuple[str, str], ...] = ()
    """Keys and values that the source lacks."""


@dataclass(frozen=True)
class Module:
    """A folder with a go.mod, and what is built in it."""

    folder: Path
    programs: tuple[tuple[str, str], ...]
    """Pairs of a program's name and its package."""
    version_of: str = ""
    """Module whose version in go.mod fills `{version}` and `{minor}` of `variables`."""
    variables: tuple[str, ...] = ()
    """String variables to set at link time, `package.name=value`."""
    embedded: tuple[Embedded, ...] = ()
    """All of one module."""

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
        words += [repr(file) for file in self.embedded]
        return [*sources, *words, *self._link_flags(), *_FLAGS, go_version(self.folder)]

    def build(self, target: Path, task: Task) -> None:
        """Build the programs into the folder `target`."""
        with tempfile.TemporaryDirectory() as folder:
            flags = [*_FLAGS, *self._link_flags(), *self._completed_module(Path(folder))]
            for name, package in self.programs:
                command = ["go", "build", *flags, "-o", target / name, package]
                task.run(f"building {name}", command, self.folder, _environment())

    def module_folder(self, module: str) -> Path:
        """Return where Go keeps the source of a module that go.mod requires."""
        command = ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module]
        return Path(_output(command, self.folder))

    def _completed_module(self, folder: Path) -> list[str]:
        """Copy the module that lacks files into `folder`; return the flag that takes it from there.

        (Go's own -overlay refuses files of its module cache.)
        """
        if not self.embedded:
            return []
        module = self.embedded[0].module
        for name in ("go.mod", "go.sum"):
            shutil.copy(self.folder / name, folder)
        _output(["go", "mod", "download", module], self.folder)
        copy = folder / "module"
        shutil.copytree(self.module_folder(module), copy, copy_function=shutil.copyfile)
        for file in self.embedded:
            content = json.loads((copy / file.source).read_text()) | dict(file.added)
            target = copy / file.target
            target.parent.chmod(0o755)  # as all of Go's module cache it may not be written to
            target.write_text(json.dumps(content, separators=(",", ":")))
        with (folder / "go.mod").open("a") as file:
            file.write(f"\nreplace {module} => {copy}\n")
        return [f"-modfile={folder / 'go.mod'}"]

    def _link_flags(self) -> list[str]:
        version = self.version if self.version_of else ""
        minor = ".".join(version.split(".")[1:2])
        settings = [f"-X {s.format(version=version, minor=minor)}" for s in self.variables]
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
