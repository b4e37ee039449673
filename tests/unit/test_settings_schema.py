"""What Pulumi.yaml tells the users is what the program reads."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml

from components.settings import parse
from tests.support.stack_config import GOOD, groups, keys

ROOT = Path(__file__).resolve().parents[2]

TYPES = {
    str: "string",
    type(None): "string",
    int: "integer",
    bool: "boolean",
    dict: "object",
    tuple: "array",
}
"""Every optional value is a string."""


def test_every_group_and_key_is_described_in_the_schema_with_its_default() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    assert list(project["config"]) == list(groups())
    defaults = parse(GOOD)
    for group, kind in groups().items():
        schema = project["config"][group]
        assert schema["type"] == "object"
        assert schema["default"] == {}
        lines = re.findall(
            r"^- (\w+) \((\w+), (?:default )?(.+?)\): .", schema["description"], re.M
        )
        assert [key for key, _, _ in lines] == keys(kind)
        values = dataclasses.astuple(getattr(defaults, group))
        for (key, typed, default), value in zip(lines, values, strict=True):
            assert typed == TYPES[type(value)], key
            if key in GOOD.get(group, {}):
                assert default == "required", key
            else:
                shown = [] if value == () else value
                assert default == (shown if isinstance(shown, str) else json.dumps(shown)), key


def test_every_choice_is_described_in_the_schema() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    for group, kind in groups().items():
        for option in (o for hint in get_type_hints(kind).values() for o in get_args(hint)):
            if isinstance(option, str):
                assert option in project["config"][group]["description"]


@pytest.mark.parametrize("file", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda file: file.name)
def test_the_stacks_of_the_repository_are_good(file: Path) -> None:
    config = yaml.safe_load(file.read_text())["config"]
    own = {key.removeprefix("etcd:"): v for key, v in config.items() if key.startswith("etcd:")}
    # Whose project it is, only its owner can say.
    found = parse(own, stack=file.suffixes[0].removeprefix("."), google_project="my-project")
    assert found.warnings == ()


def stack(name: str) -> Any:
    config = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text())["config"]
    own = {key.removeprefix("etcd:"): v for key, v in config.items() if key.startswith("etcd:")}
    return parse(own, stack=name, google_project="my-project")


def test_production_is_locked_and_spread_and_keeps_its_data() -> None:
    prod = stack("prod")
    assert prod.gke.create
    assert prod.gke.deletion_protection
    assert prod.gke.zone is None
    assert prod.gke.node_count >= prod.units.count
    assert prod.storage.retain
    assert prod.storage.kind == "persistent"


def test_staging_takes_a_cluster_that_is_there_and_keeps_its_data() -> None:
    staging = stack("staging")
    assert not staging.gke.create
    assert staging.kubernetes.context
    assert staging.storage.retain


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_no_stack_of_the_repository_has_a_secret_or_a_path_of_a_machine(name: str) -> None:
    text = (ROOT / f"Pulumi.{name}.yaml").read_text()
    assert "secure:" not in text
    assert not re.search(r"(?<![\w:/.])/(?:home|root|tmp|Users|work)\b", text)
