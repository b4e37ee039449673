"""Build programs from tagged Go modules, as locked by the go.mod and go.sum in lab/programs."""

import functools
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

# Nobody debugs these programs: without debug data they compile and link faster and are smaller.
_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")


@dataclass(frozen=True)
class Change:
    """One place of a module's source that is built otherwise than it stands there."""

    module: str
    file: str
    before: str
    """Stands in the file once."""
    after: str


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
    changes: tuple[Change, ...] = ()

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
        words += [repr(change) for change in self.changes]
        return [*sources, *words, *self._link_flags(), *_FLAGS, go_version(self.folder)]

    def build(self, target: Path, task: Task) -> None:
        """Build the programs into the folder `target`."""
        with tempfile.TemporaryDirectory() as folder:
            flags = [*_FLAGS, *self._link_flags(), *self._changed_modules(Path(folder))]
            for name, package in self.programs:
                command = ["go", "build", *flags, "-o", target / name, package]
                task.run(f"building {name}", command, self.folder, _environment())

    def module_folder(self, module: str) -> Path:
        """Return where Go keeps the source of a module that go.mod requires."""
        command = ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module]
        return Path(_output(command, self.folder))

    def _changed_modules(self, folder: Path) -> list[str]:
        """Copy the modules that are to be changed into `folder`; return the flag that takes them.

        (Go's own -overlay refuses files of its module cache.)
        """
        if not self.changes:
            return []
        for name in ("go.mod", "go.sum"):
            shutil.copy(self.folder / name, folder)
        for number, change in enumerate(self.changes):
            _output(["go", "mod", "download", change.module], self.folder)
            copy = folder / f"module-{number}"
            shutil.copytree(self.module_folder(change.module), copy, copy_function=shutil.copyfile)
            text = (copy / change.file).read_text()
            if text.count(change.before) != 1:
                raise LabError(
                    f"{change.module} has no single `{change.before}` in {change.file}.",
                    f"git checkout -- {self.folder}",
                )
            (copy / change.file).write_text(text.replace(change.before, change.after))
            with (folder / "go.mod").open("a") as file:
                file.write(f"\nreplace {change.module} => {copy}\n")
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
