"""Every program that the lab needs: taken where installed, else built or unpacked into the cache.

`lab/programs` locks the versions of what is built. Programs come in families that are made
together; a family is made once for each set of its inputs.
"""

import functools
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lab import cache, debian, pulumi_cli
from lab.commands import Task
from lab.errors import Report
from lab.golang import SOURCES, Module
from lab.state import CHECKOUT

# As the official release scripts set them; kubectl and the API server report these.
_KUBERNETES_VARIABLES = (
    "k8s.io/component-base/version.gitVersion=v{version}",
    "k8s.io/component-base/version.gitMajor=1",
    "k8s.io/component-base/version.gitMinor={minor}",
    "k8s.io/component-base/version.gitTreeState=clean",
    "k8s.io/client-go/pkg/version.gitVersion=v{version}",
)
_KUBERNETES_COMMANDS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubeadm",
    "kubectl",
)
_ENGINE_PACKAGES = (
    "docker.io",
    "containerd",
    "runc",
    "containernetworking-plugins",
    "docker-registry",
    "tini",
)

KUBERNETES = Module(
    SOURCES / "kubernetes",
    (("kubernetes", "."),),
    version_of="k8s.io/kubernetes",
    variables=_KUBERNETES_VARIABLES,
)


def _etcd(folder: str) -> Module:
    return Module(
        SOURCES / folder,
        (
            ("etcd", "go.etcd.io/etcd/server/v3"),
            ("etcdctl", "go.etcd.io/etcd/etcdctl/v3"),
            ("etcdutl", "go.etcd.io/etcd/etcdutl/v3"),
        ),
        version_of="go.etcd.io/etcd/server/v3",
    )


ETCD = _etcd("etcd")
OTHER_ETCDS = {minor: _etcd(f"etcd-{minor}") for minor in ("3.5", "3.7")}
"""By minor: of which only tests have members."""
COREDNS = Module(SOURCES / "coredns", (("coredns", "."),))
PAUSE = Module(SOURCES / "pause", (("pause", "."),))
WRITER = Module(CHECKOUT / "tests" / "writer", (("writer", "."),))


@dataclass(frozen=True)
class Family:
    """Programs that are made together into one folder of the cache."""

    name: str
    programs: Mapping[str, str]
    """Path below the family's folder, by program name."""
    inputs: Callable[[], Sequence[str | Path]]
    make: Callable[[Path, Task], None]
    """Fills a folder."""
    installed: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Arguments that make each program tell its version. Empty: never taken from PATH."""
    wanted: Callable[[], str] = str
    """Pattern that the version of an installed program must match."""


def _module_family(
    name: str,
    module: Module,
    programs: Mapping[str, str] | None = None,
    make: Callable[[Path, Task], None] | None = None,
    installed: Mapping[str, tuple[str, ...]] | None = None,
) -> Family:
    return Family(
        name,
        programs or {program: program for program, _ in module.programs},
        module.inputs,
        make or module.build,
        installed or {},
        # Ends at a blank or the end of a line: 3.6.1 is not 3.6.14.
        lambda: rf"(?m)\bv?{re.escape(module.version)}(\s|$)",
    )


def _make_kubernetes(target: Path, task: Task) -> None:
    KUBERNETES.build(target, task)
    for command in _KUBERNETES_COMMANDS:
        (target / command).symlink_to("kubernetes")


def _make_engine(target: Path, task: Task) -> None:
    debian.extract(_ENGINE_PACKAGES, target, task)
    # One folder for PATH: dockerd and containerd look for runc and their shims there.
    (target / "bin").mkdir()
    for program in [*(target / "usr/bin").iterdir(), *(target / "usr/sbin").iterdir()]:
        if not program.is_symlink():
            (target / "bin" / program.name).symlink_to(Path("..") / program.relative_to(target))
    # The name by which dockerd knows Debian's tini.
    (target / "bin" / "docker-init").symlink_to("../usr/bin/tini-static")


def _make_discovery(target: Path, task: Task) -> None:
    debian.extract(("etcd-discovery", "etcd-server"), target, task)


_FAMILIES = (
    # The longest builds come first, so that two at a time end together.
    _module_family(
        "kubernetes",
        KUBERNETES,
        {command: command for command in _KUBERNETES_COMMANDS},
        _make_kubernetes,
        {
            **dict.fromkeys(_KUBERNETES_COMMANDS, ("--version",)),
            "kubeadm": ("version", "-o", "short"),
            "kubectl": ("version", "--client"),
        },
    ),
    Family(
        "pulumi",
        {"pulumi": "pulumi/pulumi"},
        pulumi_cli.inputs,
        pulumi_cli.make,
        {"pulumi": ("version",)},
        lambda: pulumi_cli.INSTALLED,
    ),
    Family(
        "engine",
        {
            **{
                program: f"bin/{program}"
                for program in ("containerd", "ctr", "runc", "dockerd", "docker", "docker-registry")
            },
            "cni": "usr/lib/cni",
        },
        lambda: debian.inputs(_ENGINE_PACKAGES),
        _make_engine,
    ),
    # Never an installed one: the image's base is `scratch`, where only a static program runs.
    _module_family("etcd", ETCD),
    _module_family("coredns", COREDNS),
    Family(
        "pulumi-resource-kubernetes",
        {"pulumi-resource-kubernetes": "pulumi-resource-kubernetes"},
        lambda: pulumi_cli.kubernetes_plugin().inputs(),
        lambda target, task: pulumi_cli.kubernetes_plugin().build(target, task),
    ),
    _module_family("pause", PAUSE),
    _module_family("writer", WRITER),
    # Far behind the first etcd: most of what they are made of is compiled then.
    *(
        _module_family(
            f"etcd-{minor}", module, {f"{name}-{minor}": name for name, _ in module.programs}
        )
        for minor, module in OTHER_ETCDS.items()
    ),
    Family(
        "discovery",
        {"discovery.etcd.io": "usr/bin/discovery.etcd.io", "etcd-3.4": "usr/bin/etcd"},
        lambda: debian.inputs(("etcd-discovery", "etcd-server")),
        _make_discovery,
    ),
)


def say(line: str) -> None:
    """Print one line of progress at once; in one piece, since several builds may speak."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def ensure(names: Iterable[str], report: Report = say) -> dict[str, Path]:
    """Return the paths of programs by name, after making what is missing.

    Names: the Kubernetes commands, etcd, etcdctl, etcdutl, coredns, containerd, ctr, runc, dockerd,
    docker, docker-registry, cni (a folder of plugins), pulumi, pulumi-resource-kubernetes, pause,
    writer, discovery.etcd.io, etcd-3.4; etcd, etcdctl and etcdutl with -3.5 and -3.7 behind them.
    Raises LabError where one cannot be had.
    """
    wanted = list(names)
    families = [f for f in _FAMILIES if any(name in f.programs for name in wanted)]
    unknown = set(wanted) - {name for family in families for name in family.programs}
    if unknown:
        raise KeyError(f"no program is named {', '.join(sorted(unknown))}")
    # Two at a time: while one links, which takes one core, the other compiles.
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(_programs, family, report) for family in families]
        try:
            paths = {name: path for job in jobs for name, path in job.result().items()}
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return {name: paths[name] for name in wanted}


def path(name: str, report: Report = say) -> Path:
    """Return the path of one program, after making it if it is missing."""
    return ensure([name], report)[name]


def names_for_up() -> list[str]:
    """Return what a lab and `pulumi up` on it need; the tests' own programs are not in it."""
    plugins = [] if pulumi_cli.has_official_plugins() else ["pulumi-resource-kubernetes"]
    families = ("kubernetes", "pulumi", "engine", "etcd", "coredns")
    return [n for f in _FAMILIES if f.name in families for n in f.programs] + plugins


def names_for_tests() -> list[str]:
    """Return what labs and all tests need."""
    families = ("pause", "writer", "discovery", *(f"etcd-{minor}" for minor in OTHER_ETCDS))
    return [*names_for_up(), *(n for f in _FAMILIES if f.name in families for n in f.programs)]


def pulumi_environment(
    home: Path, report: Report = say, gcp: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the variables with which the CLI finds its plugins; prepares the folder `home`.

    None where the official plugins are installed or can be downloaded: `home` is not made then.
    `gcp` has the variables of the gcp plugin's stand-in, which is not installed without.
    """
    if pulumi_cli.has_official_plugins():
        return {}
    made = ensure(["pulumi-resource-kubernetes", "docker"], report)
    pulumi_cli.prepare_home(home, made["pulumi-resource-kubernetes"], made["docker"], gcp)
    return {"PULUMI_HOME": str(home), "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1"}


def _programs(family: Family, report: Report) -> dict[str, Path]:
    """Return the paths of a family's programs, after making them if they are missing."""

    def make(draft: Path) -> None:
        task = Task(family.name, cache.log_file(family.name), report)
        task.log.write_bytes(b"")
        task.say(f"not in the cache yet, making it; log: {task.log}")
        family.make(draft, task)

    if taken := installed(family.name):
        return taken
    folder = cache.folder(family.name, cache.key(*family.inputs()), make, report)
    return {name: folder / below for name, below in family.programs.items()}


@functools.cache
def installed(family_name: str) -> dict[str, Path]:
    """Return the family's programs on PATH if all are there in the wanted version, or nothing."""
    family = next(family for family in _FAMILIES if family.name == family_name)
    found: dict[str, Path] = {}
    for name, arguments in family.installed.items():
        program = shutil.which(name)
        # A lab's own shell has the cache on its PATH.
        if not program or Path(program).resolve().is_relative_to(cache.root()):
            return {}
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, check=False, timeout=20
        )
        if done.returncode != 0 or not re.search(family.wanted(), done.stdout):
            return {}
        found[name] = Path(program)
    return found
