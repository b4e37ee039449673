"""Which programs the lab takes, and from where."""

import io
import re
import subprocess
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import NoReturn

import pytest

from lab import debian, pulumi_cli, tools
from lab.commands import Task
from lab.errors import LabError
from lab.golang import Module
from tests.support.ports import free_port


def program(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def path_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder on PATH, beside those of the system; the cache is elsewhere."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("ETCD_LAB_CACHE", str(tmp_path / "cache"))
    tools.installed.cache_clear()
    return tmp_path / "bin"


_COMMANDS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubeadm",
    "kubectl",
)


def kubernetes(folder: Path, version: str) -> None:
    for command in _COMMANDS:
        program(folder, command, f"Kubernetes v{version}\nand more")


def test_installed_programs_of_the_wanted_version_are_used(path_folder: Path) -> None:
    kubernetes(path_folder, tools.KUBERNETES.version)
    assert tools.path("kubectl") == path_folder / "kubectl"


@pytest.mark.parametrize(
    "version",
    [
        pytest.param("1.34", id="begins alike"),
        pytest.param(f"{tools.KUBERNETES.version}0", id="goes on"),
        pytest.param("1.33.9", id="older"),
    ],
)
def test_installed_programs_of_another_version_are_not_used(
    path_folder: Path, version: str
) -> None:
    kubernetes(path_folder, version)
    assert tools.installed("kubernetes") == {}


def test_a_family_is_never_mixed_of_installed_and_built(path_folder: Path) -> None:
    kubernetes(path_folder, tools.KUBERNETES.version)
    (path_folder / "kube-proxy").unlink()
    assert tools.installed("kubernetes") == {}


def test_an_installed_program_that_does_not_run_is_not_used(path_folder: Path) -> None:
    kubernetes(path_folder, tools.KUBERNETES.version)
    (path_folder / "kubelet").write_text("#!/bin/sh\nexit 1\n")
    assert tools.installed("kubernetes") == {}


def test_the_labs_own_programs_on_path_do_not_count_as_installed(
    path_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubernetes(path_folder, tools.KUBERNETES.version)
    monkeypatch.setenv("ETCD_LAB_CACHE", str(path_folder.parent))
    assert tools.installed("kubernetes") == {}


@pytest.mark.parametrize(
    ("says", "used"),
    [
        pytest.param("v3.259.0", True, id="the SDK's own"),
        pytest.param("v3.301.2", True, id="later"),
        pytest.param("v3.258.0", False, id="older than the SDK"),
        pytest.param("v3.26.0", False, id="older, begins alike"),
        pytest.param("v4.0.0", False, id="another major"),
    ],
)
def test_an_installed_pulumi_must_be_as_new_as_the_sdk(
    path_folder: Path, says: str, used: bool
) -> None:
    program(path_folder, "pulumi", says)
    assert bool(tools.installed("pulumi")) == used


def test_an_unknown_program_is_refused() -> None:
    with pytest.raises(KeyError, match="kubektl"):
        tools.ensure(["kubektl"])


def module(folder: Path, go_mod: str) -> Module:
    (folder / "go.mod").write_text(go_mod)
    return Module(folder, (("x", "."),), version_of="example.com/a/v3")


def test_the_version_of_a_build_is_the_one_that_go_mod_locks(tmp_path: Path) -> None:
    go_mod = "require (\n\texample.com/a/v33 v9.9.9\n\texample.com/a/v3 v3.1.2 // indirect\n)\n"
    assert module(tmp_path, go_mod).version == "3.1.2"


def test_a_module_without_its_version_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"does not require example\.com/a/v3"):
        _ = module(tmp_path, "module x\n").version


def test_every_build_depends_on_its_lock_file_and_its_code() -> None:
    names = {path.name for path in tools.KUBERNETES.inputs() if isinstance(path, Path)}
    assert names == {"go.mod", "go.sum", "main.go"}


def test_plugins_tell_what_they_are_and_satisfy_the_sdk(tmp_path: Path) -> None:
    pulumi_cli.prepare_home(tmp_path, tmp_path / "plugin", tmp_path / "docker")
    names = sorted(path.name for path in (tmp_path / "plugins").iterdir())
    built = f"resource-kubernetes-v4.34.2+built.{pulumi_cli.kubernetes_plugin().version}"
    assert names == ["resource-docker-v5.2.0+standin", built]


def test_a_plugin_of_an_older_version_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "plugins" / "resource-docker-v9.0.0+standin").mkdir(parents=True)
    pulumi_cli.prepare_home(tmp_path, tmp_path / "plugin", tmp_path / "docker")
    assert not (tmp_path / "plugins" / "resource-docker-v9.0.0+standin").exists()


def test_googles_stand_in_is_there_for_who_asks_and_is_told_where_the_lab_is(
    tmp_path: Path,
) -> None:
    plain, google = tmp_path / "plain", tmp_path / "google"
    pulumi_cli.prepare_home(plain, tmp_path / "plugin", tmp_path / "docker")
    assert not list(plain.glob("plugins/resource-gcp-*"))
    variables = {"GCP_CLOUD": "/a folder"}
    pulumi_cli.prepare_home(google, tmp_path / "plugin", tmp_path / "docker", variables)
    (script,) = google.glob("plugins/resource-gcp-v*+standin/pulumi-resource-gcp")
    assert "export GCP_CLOUD='/a folder'" in script.read_text()
    assert "-m lab.plugins.gcp " in script.read_text()


@pytest.mark.parametrize(
    ("processor", "release", "named"),
    [
        pytest.param("aarch64", {"ID": "debian", "VERSION_ID": "12"}, "aarch64", id="processor"),
        pytest.param("x86_64", {"ID": "debian", "VERSION_ID": "13"}, "unknown", id="release"),
        pytest.param("x86_64", {"ID": "arch", "PRETTY_NAME": "Arch"}, "Arch", id="no Debian"),
        pytest.param("x86_64", {}, "unknown", id="no release file"),
    ],
)
def test_a_machine_whose_packages_do_not_fit_is_told_at_once(
    processor: str, release: dict[str, str], named: str
) -> None:
    assert named in debian.machine_problem(processor, release)


def test_the_machine_that_fits_is_let_through() -> None:
    assert not debian.machine_problem("x86_64", {"ID": "debian", "VERSION_ID": "12"})


def test_what_tests_ask_for_is_built_before_the_first_of_them() -> None:
    """Their time must not pass with a build: on a bare machine that takes a quarter of an hour."""
    checkout = Path(__file__).resolve().parent.parent.parent
    asked = re.compile(r"(?:tools\.)?ensure\(\[([^\]]+)\]\)")
    texts = [f.read_text() for f in (checkout / "tests").rglob("*.py") if f != Path(__file__)]
    named = {n for text in texts for found in asked.findall(text) for n in found.split(", ")}
    programs = {name.strip('"') for name in named if name.startswith('"')}
    assert programs >= {"writer", "etcd-3.4"}, "the search finds nothing any more"
    assert programs <= set(tools.names_for_tests())
    command = ["make", "--dry-run", "test"]
    steps = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout
    assert 0 <= steps.find("-m lab build") < steps.find("-m pytest")


def task(tmp_path: Path) -> Task:
    return Task("pulumi", tmp_path / "log", lambda _: None)


def test_the_official_cli_is_unpacked_where_it_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "packed.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        entry = tarfile.TarInfo("pulumi/pulumi")
        entry.size, entry.mode = 2, 0o755
        archive.addfile(entry, io.BytesIO(b"x\n"))
    monkeypatch.setattr(pulumi_cli, "downloadable", lambda: True)
    monkeypatch.setattr(pulumi_cli, "_archive", packed.as_uri)
    target = tmp_path / "target"
    target.mkdir()
    pulumi_cli.make(target, task(tmp_path))
    assert [path.name for path in target.iterdir()] == ["pulumi"]
    assert (target / "pulumi" / "pulumi").read_text() == "x\n"


def asked_for(monkeypatch: pytest.MonkeyPatch, system: str, processor: str) -> list[str]:
    """What the download host is asked for on such a machine; it does not answer."""
    asked: list[str] = []

    def refuse(request: urllib.request.Request, **_: object) -> NoReturn:
        asked.append(request.full_url)
        raise urllib.error.URLError("not now")

    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: processor)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    assert not pulumi_cli.downloadable.__wrapped__(), "past what this process remembers"
    return asked


@pytest.mark.parametrize(
    ("system", "processor", "published"),
    [
        ("Linux", "x86_64", "linux-x64"),
        ("Linux", "aarch64", "linux-arm64"),
        ("Darwin", "x86_64", "darwin-x64"),
        ("Darwin", "arm64", "darwin-arm64"),
    ],
)
def test_the_official_cli_is_the_one_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, system: str, processor: str, published: str
) -> None:
    (url,) = asked_for(monkeypatch, system, processor)
    assert url.endswith(f"/pulumi-v{pulumi_cli.CLI.version}-{published}.tar.gz")
    monkeypatch.setattr(pulumi_cli, "downloadable", lambda: True)
    assert url in pulumi_cli.inputs(), "a folder for the cache may be shared by several machines"


@pytest.mark.parametrize(("system", "processor"), [("Linux", "riscv64"), ("FreeBSD", "x86_64")])
def test_where_pulumi_publishes_no_cli_it_is_built(
    monkeypatch: pytest.MonkeyPatch, system: str, processor: str
) -> None:
    assert asked_for(monkeypatch, system, processor) == []


def test_a_download_that_breaks_off_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{free_port()}/pulumi.tar.gz"
    monkeypatch.setattr(pulumi_cli, "downloadable", lambda: True)
    monkeypatch.setattr(pulumi_cli, "_archive", lambda: url)
    with pytest.raises(LabError, match=f"{url} could not be downloaded: .*\nNext: "):
        pulumi_cli.make(tmp_path, task(tmp_path))


def test_a_program_that_the_machine_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="installing curl needs no-such-apt, which is not on this"):
        task(tmp_path).run("installing curl", ["no-such-apt", "install", "curl"])
