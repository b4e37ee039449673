"""The Pulumi CLI and its plugins: official where they can be had, else built or stood in for.

Three cases, in this order:
- a `pulumi` is installed: it is used;
- Pulumi's download host answers, and has a CLI for this machine: the official one is unpacked into
  the cache, and it fetches the official plugins itself on first use, as on any machine;
- else CLI, Python language host and Kubernetes plugin are built from their Go modules, and
  lab/plugins/docker_image.py stands in for the Docker plugin, which is not published as one; for
  the GKE stack on the lab lab/plugins/gcp does for Google's (lab/gke.py).

The second case has only been exercised up to a probe that fails: no machine at hand reached that
host.
"""

import functools
import os
import platform
import shlex
import shutil
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from lab.commands import Task
from lab.errors import LabError
from lab.golang import SOURCES, Embedded, Module
from lab.state import CHECKOUT

CLI = Module(
    SOURCES / "pulumi",
    (("pulumi", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"),),
    version_of="github.com/pulumi/pulumi/pkg/v3",
    variables=("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version}",),
)
# The last release that carries the host inside a tagged module. It speaks to later CLIs.
LANGUAGE_HOST = Module(
    SOURCES / "pulumi-language-python",
    (
        (
            "pulumi-language-python",
            "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
        ),
    ),
)
_KUBERNETES_MODULE = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_COMMAND = "cmd/pulumi-resource-kubernetes"
# Scripts of the Python SDK that the language host starts; they must match the SDK, not the host.
_SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
_SDK_SCRIPTS = (
    "python/cmd/pulumi-language-python-exec",
    "python/dist/pulumi-resource-pulumi-python",
)

_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_PROCESSORS = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}
"""What Pulumi calls that for which it publishes a CLI as .tar.gz, by what the machine calls it."""

INSTALLED = r"^v3\.(259|2[6-9]\d|[3-9]\d\d)\."
"""Versions of an installed CLI that serve: the SDK's own minor or a later one."""


def kubernetes_plugin() -> Module:
    """Return the module of the Kubernetes plugin: Pulumi's own code, of the newest commit that can
    be had as a module, since its releases are not tagged as such.

    The CLI warns unless a plugin says that it is at least what the SDK asks for. Build metadata,
    after the `+`, does not count in that comparison, and tells what this one really is.
    """
    module = Module(
        SOURCES / "pulumi-resource-kubernetes",
        (("pulumi-resource-kubernetes", f"{_KUBERNETES_MODULE}/{_COMMAND}"),),
        version_of=_KUBERNETES_MODULE,
    )
    told = f"{version('pulumi-kubernetes')}+built.{module.version}"

    def embedded(name: str, **added: str) -> Embedded:
        # As cmd/pulumi-resource-kubernetes/generate.go makes them.
        paths = (f"{_COMMAND}/{name}.json", f"{_COMMAND}/{name}-embed.json")
        return Embedded(_KUBERNETES_MODULE, *paths, tuple(added.items()))

    return replace(
        module,
        variables=(f"{_KUBERNETES_MODULE}/pkg/version.Version={told}",),
        embedded=(embedded("schema", version=told), embedded("terraform-mapping")),
    )


def inputs() -> list[str | Path]:
    """Return what the CLI's folder in the cache depends on."""
    if downloadable():
        return ["official", _archive()]
    return [*CLI.inputs(), *LANGUAGE_HOST.inputs(), *_SDK_SCRIPTS]


def make(target: Path, task: Task) -> None:
    """Fill the folder `pulumi` below `target` with the CLI and its Python language host."""
    if downloadable():
        _download(target, task)
        return
    folder = target / "pulumi"
    CLI.build(folder, task)
    LANGUAGE_HOST.build(folder, task)
    sdk = CLI.module_folder(_SDK_MODULE)
    for script in _SDK_SCRIPTS:
        copy = folder / Path(script).name
        shutil.copyfile(sdk / script, copy)
        copy.chmod(0o755)


def _download(target: Path, task: Task) -> None:
    task.say(f"downloading {_archive()}")
    packed = target / "pulumi.tar.gz"
    try:
        with urllib.request.urlopen(_archive(), timeout=60) as reply, packed.open("wb") as file:
            shutil.copyfileobj(reply, file)
    except OSError as error:
        raise LabError(
            f"{_archive()} could not be downloaded: {error}",
            "run the command again, or install Pulumi yourself",
        ) from error
    task.run("unpacking", ["tar", "-xzf", packed, "-C", target])
    packed.unlink()


def has_official_plugins() -> bool:
    """Whether the official plugins are installed, or the CLI can download them itself."""
    plugins = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    installed = all((plugins / _plugin_folder(name)).is_dir() for name in ("kubernetes", "docker"))
    return installed or downloadable()


@functools.cache
def downloadable() -> bool:
    """Whether Pulumi's download host serves the CLI; asked once, for at most 3 s."""
    if not _archive():
        return False
    answers: list[bool] = []

    def probe() -> None:
        request = urllib.request.Request(_archive(), method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=3) as reply:
                answers.append(reply.status == 200)
        except (urllib.error.URLError, OSError):
            answers.append(False)

    # In a thread, since no time-out covers the look-up of the host's name.
    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(3)
    return answers == [True]


def _archive() -> str:
    """Return where the CLI for this machine is; nothing where Pulumi publishes none."""
    system = _SYSTEMS.get(platform.system())
    processor = _PROCESSORS.get(platform.machine())
    if not system or not processor:
        return ""
    name = f"pulumi-v{CLI.version}-{system}-{processor}.tar.gz"
    return f"https://get.pulumi.com/releases/sdk/{name}"


def _plugin_folder(name: str) -> str:
    """Return the folder in which the CLI looks for the plugin that the venv's SDK asks for."""
    return f"resource-{name}-v{version(f'pulumi-{name}')}"


def prepare_home(
    home: Path, plugin: Path, docker_client: Path, gcp: Mapping[str, str] | None = None
) -> None:
    """Fill a Pulumi home with the built Kubernetes `plugin` and the Docker stand-in.

    With `gcp`, the variables of Google's stand-in, that one is there too. Never for a cluster of
    one's own: it would make what looks like one and is none.

    The CLI takes a plugin of exactly the version that the SDK asks for, but for what follows a `+`;
    `pulumi plugin ls` shows that as well.
    """
    built = _built_plugin(home).parent
    # Links and scripts: anew each time, so that none of an older version stays.
    shutil.rmtree(home / "plugins", ignore_errors=True)
    built.mkdir(parents=True)
    _built_plugin(home).symlink_to(plugin)
    _place_stand_in(home, "docker", "docker_image", {"DOCKER_CLIENT": str(docker_client)})
    if gcp is not None:
        _place_stand_in(home, "gcp", "gcp", gcp)


def home_problem(home: Path) -> str:
    """Return which plugin of now a home that was prepared, if it was, lacks; or nothing."""
    wanted = [_built_plugin(home), _stand_in(home, "docker")] if home.exists() else []
    missing = [path for path in wanted if not path.exists()]
    return f"{missing[0]} is missing" if missing else ""


def _built_plugin(home: Path) -> Path:
    folder = f"{_plugin_folder('kubernetes')}+built.{kubernetes_plugin().version}"
    return home / "plugins" / folder / "pulumi-resource-kubernetes"


def _stand_in(home: Path, name: str) -> Path:
    return home / "plugins" / f"{_plugin_folder(name)}+standin" / f"pulumi-resource-{name}"


def _place_stand_in(home: Path, name: str, module: str, variables: Mapping[str, str]) -> None:
    """Write the script that the CLI starts as the plugin `name`."""
    script = _stand_in(home, name)
    script.parent.mkdir(parents=True)
    settings = {**variables, "PYTHONPATH": str(CHECKOUT)}
    exports = [f"export {key}={shlex.quote(value)}\n" for key, value in settings.items()]
    python = shlex.quote(sys.executable)
    script.write_text(f'#!/bin/sh\n{"".join(exports)}exec {python} -m lab.plugins.{module} "$@"\n')
    script.chmod(0o755)
