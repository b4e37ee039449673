"""The README's way from an empty Google Cloud project to a balanced cluster, and back."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import yaml

from tests.support.program import DYNAMIC, Program, run

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def blocks() -> list[list[str]]:
    """The shell blocks of the section, each as its commands."""
    _, _, rest = README.partition("\n## A GKE cluster from nothing\n")
    section = rest.partition("\n## ")[0]
    return [text.splitlines() for text in re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)]


def argument(command: str) -> str:
    (found,) = [c for block in blocks() for c in block if c.startswith(command)]
    return found.removeprefix(command).strip()


class Stack:
    """A stack's config, changed by the README's commands, and the program that runs with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.config: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())[
            "config"
        ]

    def set(self, command: str) -> None:
        """What `pulumi config set` does to the file."""
        *flags, key, value = command.removeprefix("pulumi config set ").split()
        typed = yaml.safe_load(value)  # Pulumi, too, takes true and 3 for what they are
        if flags == ["--path"]:
            group, _, inner = key.partition(".")
            self.config.setdefault(group, {})[inner] = typed
        else:
            self.config[key] = typed

    def up(self, *, preview: bool = False) -> Program:
        config = copy.deepcopy(self.config)
        project = config.pop("gcp:project", None)
        own = {key.removeprefix("etcd:"): value for key, value in config.items()}
        return run(own, preview=preview, stack=self.name, google_project=project)


def test_the_commands_before_the_first_up_prepare_what_the_program_needs() -> None:
    stack = Stack("prod")
    stack.set("pulumi config set gcp:project my-project")
    requirements = stack.up().one(f"{DYNAMIC}Requirements").inputs
    *apis, flag, project = argument("gcloud services enable").split()
    assert apis == requirements["apis"]
    assert (flag, project) == ("--project", requirements["project"])
    assert argument("gcloud components install") in requirements["programs"]
    region = stack.config["etcd:gke"]["region"]
    assert argument("gcloud auth configure-docker") == f"{region}-docker.pkg.dev"


def test_the_pulumi_commands_lead_from_nothing_to_a_cluster_and_back() -> None:
    """Every command in the README's order; what each `up` declares is what the text says of it."""
    ups: list[Program] = []
    stack: Stack | None = None
    for command in [c for block in blocks() for c in block if c.startswith("pulumi ")]:
        if command.startswith("pulumi stack init "):
            stack = Stack(command.split()[-1])
            continue
        assert stack is not None, "a stack comes first"
        if command.startswith("pulumi config set "):
            stack.set(command)
        elif command == "pulumi preview":
            assert stack.up(preview=True).all("gcp:container/cluster:Cluster")
        elif command == "pulumi up":
            ups.append(stack.up())
        elif command.startswith("pulumi stack output "):
            assert command.split()[3] in ups[-1].exports
    first, grown, last = ups
    protection, pool = f"{DYNAMIC}Protection", "gcp:container/nodePool:NodePool"
    assert first.one(protection).inputs["protected"] is True
    assert first.one(f"{DYNAMIC}Scale").inputs["units"] == 3
    assert grown.one(pool).inputs["nodeCount"] == 2
    assert grown.one(f"{DYNAMIC}Scale").inputs["units"] == 5
    assert last.one(protection).inputs["protected"] is False
    assert not [r.urn for r in last.resources if r.protect]
    policy = last.one("StatefulSet", "etcd").spec["persistentVolumeClaimRetentionPolicy"]
    assert policy["whenDeleted"] == "Delete"
    for name in ("pulumi destroy", "pulumi stack rm prod --preserve-config"):
        assert name in blocks()[-1]
