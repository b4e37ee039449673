"""What a shell for a cluster of one's own has, by what is installed and who is logged in."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from lab import own, tools
from lab.errors import Report

BUILT = {"PULUMI_HOME": "/built", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1"}


class Machine:
    """What is there; what was built is written down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home" / ".pulumi"
        self.home.mkdir(parents=True)
        self.plugins = False
        self.cli = False
        self.built: list[str] = []

    def environment(self, _home: Path, _report: Report) -> dict[str, str]:
        return {} if self.plugins else dict(BUILT)

    def installed(self, name: str) -> dict[str, Path]:
        return {name: Path("/usr/bin/pulumi")} if self.cli else {}

    def ensure(self, names: Iterable[str], _report: Report) -> dict[str, Path]:
        self.built += names
        return {name: Path(f"/cache/{name}") for name in self.built}

    def shell(self, **variables: str) -> dict[str, str]:
        """The environment of a shell that has sourced the file."""
        env = own.prepare(self.folder)
        done = subprocess.run(
            ["sh", "-c", '. "$0" && env', str(env)],
            env={"PATH": "/usr/bin:/bin", **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    for name in ("PULUMI_HOME", "PULUMI_CREDENTIALS_PATH", "PULUMI_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tools, "pulumi_environment", machine.environment)
    monkeypatch.setattr(tools, "installed", machine.installed)
    monkeypatch.setattr(tools, "ensure", machine.ensure)
    return machine


def test_where_all_is_installed_nothing_is_set(machine: Machine) -> None:
    machine.cli = machine.plugins = True
    assert not [name for name in machine.shell() if name.startswith("PULUMI")]
    assert not machine.built


@pytest.mark.parametrize("plugins", [True, False], ids=["plugins to be had", "plugins built"])
def test_a_cli_that_is_not_installed_is_on_the_path(machine: Machine, plugins: bool) -> None:
    machine.plugins = plugins
    found = machine.shell()
    assert found["PATH"] == "/usr/bin:/bin:/cache"
    assert found["PULUMI_BACKEND_URL"].startswith("file://")
    assert found["PULUMI_CONFIG_PASSPHRASE"] == ""
    assert ("PULUMI_HOME" in found) is not plugins


def test_who_is_logged_in_stays_so(machine: Machine) -> None:
    machine.cli = True
    (machine.home / "credentials.json").write_text("{}")
    found = machine.shell()
    assert found["PULUMI_HOME"] == "/built"
    assert found["PULUMI_CREDENTIALS_PATH"] == str(machine.home)
    assert "PULUMI_BACKEND_URL" not in found
    assert "PULUMI_CONFIG_PASSPHRASE" not in found


def test_who_has_a_token_is_logged_in(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-1")
    assert "PULUMI_BACKEND_URL" not in machine.shell(PULUMI_ACCESS_TOKEN="pul-1")


def test_a_passphrase_in_a_file_is_not_hidden_by_an_empty_one(machine: Machine) -> None:
    assert "PULUMI_CONFIG_PASSPHRASE" not in machine.shell(PULUMI_CONFIG_PASSPHRASE_FILE="/there")
    assert machine.shell(PULUMI_CONFIG_PASSPHRASE="mine")["PULUMI_CONFIG_PASSPHRASE"] == "mine"
