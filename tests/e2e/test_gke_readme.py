"""The README's way from an empty Google project to a balanced cluster and back, command by command.

Google is the stand-in (lab/plugins/gcp), and `gcloud` a script that only takes notes.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.state import Lab
from tests.support.gke import SMALL, Google
from tests.support.stack import CHECKOUT, Result

UNITS = ["etcd-0", "etcd-1", "etcd-2"]
HEADING = "## A GKE cluster from nothing"


def commands() -> list[str]:
    """Every line of every shell block of the README's section."""
    section = (CHECKOUT / "README.md").read_text().partition(f"\n{HEADING}\n")[2]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section.partition("\n## ")[0], re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


class Newcomer:
    """A person in a fresh clone, who types one command after the other."""

    def __init__(self, folder: Path, google: Google) -> None:
        self.clone = folder / "clone"
        self.notes = folder / "gcloud.log"
        subprocess.run(["git", "clone", "-q", str(CHECKOUT), str(self.clone)], check=True)
        (self.clone / ".venv").symlink_to(CHECKOUT / ".venv")
        programs = folder / "bin"
        programs.mkdir()
        (programs / "gcloud").write_text(f'#!/bin/sh\necho "$@" >>{self.notes}\n')
        (programs / "gcloud").chmod(0o755)
        self.env = {
            **google.env,
            "PATH": f"{programs}:{google.env['PATH']}",
            # Nobody is there to answer "yes".
            "PULUMI_SKIP_CONFIRMATIONS": "true",
        }
        self._make_small()

    def _make_small(self) -> None:
        """The lab has not the machines that the production stack asks for."""
        file = self.clone / "Pulumi.prod.yaml"
        content = yaml.safe_load(file.read_text())
        for group, values in SMALL.items():
            content["config"].setdefault(f"etcd:{group}", {}).update(values)
        file.write_text(yaml.safe_dump(content))

    def types(self, command: str) -> Result:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.clone,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, 0)


@pytest.fixture
def google(lab: Lab) -> Iterator[Google]:
    found = Google(lab)
    found.clear()
    yield found
    found.clear()


@pytest.fixture
def newcomer(google: Google, tmp_path: Path) -> Iterator[Newcomer]:
    person = Newcomer(tmp_path, google)
    yield person
    if person.types("pulumi stack select prod").code != 0:
        return  # as after a good test
    # What a failed one has left.
    for command in (
        "pulumi config set --path etcd:gke.deletionProtection false --stack prod",
        "pulumi up --stack prod --skip-preview",
        "pulumi destroy --stack prod --skip-preview",
        "pulumi stack rm prod --force",
        "kubectl delete namespace etcd --ignore-not-found",
    ):
        person.types(command)


def test_every_command_of_the_readme_works_in_its_order(newcomer: Newcomer, google: Google) -> None:
    typed = commands()
    assert {command.split()[0] for command in typed} == {"gcloud", "kubectl", "pulumi"}
    said: dict[str, list[Result]] = {}
    most = 0
    for command in typed:
        done = newcomer.types(command)
        assert done.code == 0, f"{command}: {done}"
        assert "Traceback" not in done.output, f"{command}: {done}"
        said.setdefault(command, []).append(done)
        most = max(most, len(google.resources()))
        if command == "pulumi up" and len(said[command]) == 1:
            _is_balanced(newcomer)
    assert most == 8, "one of each type"
    key = next(c for c in typed if c.startswith("kubectl") and " put " in c)
    assert said[key][0].output.splitlines()[-1] == "OK"
    assert len(said["pulumi up"]) > 1, "the first, and those that change something"
    assert google.resources() == {}, "nothing that is billed is left"
    assert (newcomer.clone / "Pulumi.prod.yaml").exists(), "or the next `up` had no settings"
    left = newcomer.types("kubectl get namespace etcd --ignore-not-found -o name")
    assert left.output.strip() == ""
    # Those of other tests' stacks may still be on their way out.
    volumes = json.loads(newcomer.types("kubectl get persistentvolumes -o json").output)["items"]
    assert [v for v in volumes if v["spec"]["claimRef"]["namespace"] == "etcd"] == []
    assert "services enable" in newcomer.notes.read_text()


def _is_balanced(newcomer: Newcomer) -> None:
    """Right after an `up` from nothing."""
    pods = newcomer.types("kubectl -n etcd get pods -o name").output.split()
    assert sorted(pods) == [f"pod/{unit}" for unit in UNITS]
    listed = newcomer.types("kubectl -n etcd exec etcd-0 -- etcdctl member list -w json").output
    members = json.loads(listed)["members"]
    assert sorted(member["name"] for member in members) == UNITS
    assert not any(member.get("isLearner") for member in members)
