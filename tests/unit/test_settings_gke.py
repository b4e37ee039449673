"""The group `gke`: what it takes, what it refuses, and what it means for the other groups."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components import settings
from components.settings import SettingsError, parse
from tests.support.stack_config import DIGEST, GOOD, problems

MADE: dict[str, Any] = {"gke": {"create": True, "project": "my-project"}}
"""What a stack must say to have a cluster made."""

KEY = "projects/keys/locations/us-central1/keyRings/ring/cryptoKeys/etcd"


def made(values: dict[str, object]) -> dict[str, Any]:
    """A stack that makes its cluster, with further values at `group.key`."""
    config = copy.deepcopy(MADE)
    for path, value in values.items():
        group, _, key = path.partition(".")
        config.setdefault(group, {})[key] = value
    return config


def test_two_keys_are_enough_and_no_context_or_registry_is_needed() -> None:
    found = parse(MADE, stack="prod")
    assert found.gke.cluster_name == "etcd-prod"
    assert found.gke.location == "us-central1"
    assert found.gke.nodes_per_zone == 1
    assert found.gke.context == "gke_my-project_us-central1_etcd-prod"
    assert found.kubernetes.context is None
    assert found.image.registry is None
    assert found.warnings == ()


def test_the_project_of_the_google_provider_serves_unless_another_is_named() -> None:
    config = {"gke": {"create": True}}
    assert parse(config, google_project="the-providers").gke.project == "the-providers"
    assert parse(MADE, google_project="the-providers").gke.project == "my-project"


def test_load_hands_over_the_stacks_name_and_the_providers_project(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "staging")
    try:
        pulumi.runtime.set_all_config(
            {"etcd:gke": '{"create": true}', "gcp:project": "the-providers"}
        )
        found = settings.load().gke
    finally:
        pulumi.runtime.set_all_config({})
    assert (found.project, found.cluster_name) == ("the-providers", "etcd-staging")


def test_everything_that_can_be_set_arrives() -> None:
    found = parse(
        made(
            {
                "gke.region": "europe-west1",
                "gke.zone": "europe-west1-b",
                "gke.clusterName": "kv",
                "gke.nodeCount": 4,
                "gke.machineType": "c4a-standard-4",
                "gke.channel": "STABLE",
                "gke.deletionProtection": True,
                "gke.authorizedNetworks": ["203.0.113.0/24", "198.51.100.7/32"],
                "gke.kmsKey": KEY.replace("us-central1", "europe-west1"),
                "gke.labels": {"team": "storage", "cost-center_1": ""},
                "gke.maintenanceStart": "22:30",
                "image.platform": "linux/arm64",
                "storage.className": "hyperdisk",
            }
        )
    ).gke
    assert found.location == "europe-west1-b"
    assert found.nodes_per_zone == 4
    assert found.hyperdisk_only
    assert found.authorized_networks == ("203.0.113.0/24", "198.51.100.7/32")
    assert found.labels == {"team": "storage", "cost-center_1": ""}
    assert (found.channel, found.maintenance_start) == ("STABLE", "22:30")
    assert found.deletion_protection
    assert parse(made({"gke.autopilot": True})).gke.autopilot


BAD = [
    # id, path, value, what the message must say as allowed
    ("a project of five letters", "gke.project", "proje", "6 to 30"),
    ("a project's number", "gke.project", 123456789012, "quote it"),
    ("a placeholder for a project", "gke.project", "YOUR_PROJECT_NAME", "lower case"),
    ("a zone for a region", "gke.region", "us-central1-f", "a region"),
    ("a region in capitals", "gke.region", "US-CENTRAL1", "a region"),
    ("a region for a zone", "gke.zone", "us-central1", "a zone"),
    ("a zone of another region", "gke.zone", "europe-west1-b", "which is us-central1"),
    ("a name of 41 letters", "gke.clusterName", "e" * 41, "up to 40"),
    ("a name in capitals", "gke.clusterName", "Etcd", "lower case"),
    ("a name that ends in a dash", "gke.clusterName", "etcd-", "does not end"),
    ("a name with an underscore", "gke.clusterName", "etcd_prod", "lower case"),
    ("no node", "gke.nodeCount", 0, "1 to 60"),
    ("more nodes than addresses", "gke.nodeCount", 63, "1 to 60"),
    ("nodes that three zones cannot share", "gke.nodeCount", 4, "a multiple of 3"),
    ("a shared core", "gke.machineType", "e2-medium", "two cores"),
    ("a tiny machine", "gke.machineType", "f1-micro", "two cores"),
    ("no machine", "gke.machineType", "large", "machine type"),
    ("no channel", "gke.channel", "UNSPECIFIED", "RAPID, REGULAR, STABLE"),
    ("a truth in quotes", "gke.deletionProtection", "true", "true or false"),
    ("an autopilot in quotes", "gke.autopilot", "on", "true or false"),
    ("networks as a text", "gke.authorizedNetworks", "10.0.0.0/8", "a list"),
    ("too many networks", "gke.authorizedNetworks", ["203.0.113.1/32"] * 101, "up to 100"),
    ("a key that is a name", "gke.kmsKey", "etcd", "projects/PROJECT/"),
    ("a key elsewhere", "gke.kmsKey", KEY.replace("us-central1", "global"), "in gke.region"),
    ("labels as a list", "gke.labels", ["team"], "object"),
    ("too many labels", "gke.labels", {f"l{n}": "" for n in range(65)}, "up to 64"),
    ("a time that is a number", "gke.maintenanceStart", 3, "quote it"),
    ("an hour too many", "gke.maintenanceStart", "24:00", "HH:MM"),
    ("a context beside a cluster", "kubernetes.context", "mine", "null with gke.create"),
    ("a kubeconfig beside a cluster", "kubernetes.kubeconfig", "~/k", "null with gke.create"),
    ("a domain that is not GKE's", "kubernetes.clusterDomain", "k.test", "cluster.local"),
    ("pull secrets beside a cluster", "image.pullSecrets", ["login"], "[] with gke.create"),
    ("an image of Arm on other nodes", "image.platform", "linux/arm64", "linux/amd64 with"),
]


@pytest.mark.parametrize(
    ("path", "value", "allowed"),
    [pytest.param(path, value, allowed, id=name) for name, path, value, allowed in BAD],
)
def test_one_bad_value_is_one_problem_with_key_allowed_values_and_way_out(
    path: str, value: object, allowed: str
) -> None:
    (text,) = problems(made({path: value}))
    first, last = text.split("\n")
    assert first.startswith(f"etcd:{path} ")
    assert allowed in first
    assert re.match(r"  Next: pulumi config (set|rm) ", last)


@pytest.mark.parametrize(
    "cidr", ["0.0.0.0/0", "10.0.0.1/8", "10.0.0.1", "2001:db8::/32", "office", "", None, 10]
)
def test_a_network_is_a_part_of_the_world_and_not_the_whole(cidr: object) -> None:
    (text,) = problems(made({"gke.authorizedNetworks": ["203.0.113.0/24", cidr]}))
    assert text.startswith("etcd:gke.authorizedNetworks[1] is ")
    assert "not 0.0.0.0/0" in text


@pytest.mark.parametrize("name", ["Team", "1st", "", "team.eu", "t" * 64])
def test_a_label_is_one_of_googles(name: str) -> None:
    (text,) = problems(made({"gke.labels": {name: "x"}}))
    assert text.startswith("etcd:gke.labels")
    assert "allowed: a label key of Google's" in text


@pytest.mark.parametrize("value", ["Storage", "a b", "x" * 64, 3, True])
def test_a_labels_value_is_one_of_googles(value: object) -> None:
    (text,) = problems(made({"gke.labels": {"team": value}}))
    assert text.startswith("etcd:gke.labels.team is ")


TOGETHER: list[tuple[str, dict[str, object], str, str]] = [
    ("autopilot in a zone", {"gke.zone": "us-central1-a"}, "gke.zone", "regional always"),
    ("autopilot with nodes", {"gke.nodeCount": 6}, "gke.nodeCount", "by itself"),
    ("autopilot with a machine", {"gke.machineType": "n2-standard-2"}, "gke.machineType", "itself"),
]


@pytest.mark.parametrize(
    ("values", "path", "allowed"), [pytest.param(*rest, id=name) for name, *rest in TOGETHER]
)
def test_autopilot_is_told_nothing_about_nodes(
    values: dict[str, object], path: str, allowed: str
) -> None:
    (text,) = problems(made({"gke.autopilot": True, **values}))
    assert text.startswith(f"etcd:{path} would not be used; allowed: null with gke.autopilot")
    assert allowed in text
    assert text.endswith(f"Next: pulumi config rm --path etcd:{path}")


@pytest.mark.parametrize("kind", ["ephemeral", "memory"])
def test_a_production_cluster_has_volumes(kind: str) -> None:
    (text,) = problems(made({"gke.deletionProtection": True, "storage.kind": kind}))
    assert text.startswith(f'etcd:storage.kind is "{kind}"; allowed: persistent')
    assert parse(made({"storage.kind": kind})).storage.kind == kind


def test_a_database_has_room_on_an_autopilot_node() -> None:
    (text,) = problems(made({"gke.autopilot": True, "storage.kind": "ephemeral"}))
    assert text.startswith('etcd:storage.kind is "ephemeral"; allowed: persistent or memory with')
    assert "1 GiB of their disk" in text
    assert parse(made({"gke.autopilot": True, "storage.kind": "memory"})).gke.autopilot


@pytest.mark.parametrize("mode", ["v2", "v3"])
def test_seeds_in_a_new_network_find_each_other_there(mode: str) -> None:
    url = {"v2": "https://d.test/new", "v3": "http://d.test:2379"}[mode]
    (text,) = problems(made({"discovery.mode": mode, "discovery.url": url}))
    assert text.startswith(f'etcd:discovery.mode is "{mode}"; allowed: inCluster with gke.create')


def test_a_prebuilt_image_is_not_looked_for_in_a_registry_that_is_empty() -> None:
    prebuilt: dict[str, object] = {"image.build": False, "image.digest": DIGEST}
    (text,) = problems(made(prebuilt))
    assert text.startswith("etcd:image.registry is not set; image.build is false")
    assert parse(made({**prebuilt, "image.registry": "r.test/x"})).image.registry == "r.test/x"


def test_an_arm_machine_needs_an_arm_image() -> None:
    (text,) = problems(made({"gke.machineType": "t2a-standard-2"}))
    assert text.startswith('etcd:image.platform is "linux/amd64"; allowed: linux/arm64')


@pytest.mark.parametrize("machine", ["n4-standard-2", "c4-standard-4", "c4d-highmem-2"])
def test_nodes_take_the_disks_that_are_made_for_their_members(machine: str) -> None:
    (text,) = problems(made({"gke.machineType": machine}))
    assert text.startswith(f'etcd:gke.machineType is "{machine}"; allowed: a family that takes')
    for values in ({"storage.className": "hyperdisk"}, {"storage.kind": "memory"}):
        parse(made({"gke.machineType": machine, **values}))


def test_a_project_is_never_guessed() -> None:
    (text,) = problems({"gke": {"create": True}})
    assert text.startswith("etcd:gke.project is not set, and neither is gcp:project; allowed: ")
    assert "gcloud projects list" in text


def test_the_providers_project_is_checked_too() -> None:
    with pytest.raises(SettingsError, match="gcp:project is 'My Project'"):
        parse({"gke": {"create": True}}, google_project="My Project")


@pytest.mark.parametrize("stack", ["Prod", "my.stack", "s" * 36])
def test_a_stack_whose_name_gke_does_not_take_needs_another_for_its_cluster(stack: str) -> None:
    with pytest.raises(SettingsError, match=r"etcd:gke\.clusterName is not set, and"):
        parse(MADE, stack=stack)
    named = {"gke": {**MADE["gke"], "clusterName": "kv"}}
    assert parse(named, stack=stack).gke.cluster_name == "kv"


UNUSED: dict[str, object] = {
    "project": "my-project",
    "region": "us-central1",
    "zone": "us-central1-f",
    "clusterName": "kv",
    "nodeCount": 3,
    "machineType": "e2-standard-2",
    "channel": "REGULAR",
    "deletionProtection": False,
    "autopilot": False,
    "authorizedNetworks": [],
    "kmsKey": KEY,
    "labels": {},
    "maintenanceStart": "03:00",
}


@pytest.mark.parametrize("key", UNUSED)
@pytest.mark.parametrize("create", [False, None])
def test_without_create_no_key_is_set_in_vain(key: str, create: bool | None) -> None:
    (text,) = problems({**GOOD, "gke": {"create": create, key: UNUSED[key]}})
    assert text.startswith(f"etcd:gke.{key} would not be used; allowed: null while gke.create")
    assert text.endswith(f"Next: pulumi config rm --path etcd:gke.{key}")


def test_a_create_that_is_no_truth_is_one_problem() -> None:
    """Neither of the two ways is asked for what it would need."""
    (text,) = problems({"gke": {"create": "yes", "nodeCount": 3}})
    assert text.startswith('etcd:gke.create is "yes"')


@pytest.mark.parametrize(
    ("nodes", "units", "warned"), [(3, 3, False), (3, 7, False), (1, 3, True), (2, 5, True)]
)
def test_members_that_would_all_go_with_one_node_are_worth_a_warning(
    nodes: int, units: int, warned: bool
) -> None:
    zone = {"gke.zone": "us-central1-f", "gke.nodeCount": nodes}
    config = made({**zone, "units.count": units, "units.cpu": "100m"})
    found = parse(config).warnings
    assert bool(found) == warned
    assert all("Next: pulumi config set --path etcd:gke.nodeCount" in text for text in found)


ONE_NODE = {"gke.zone": "us-central1-f", "gke.nodeCount": 1, "units.count": 1, "seeds.count": 1}


@pytest.mark.parametrize(
    ("values", "next_step"),
    [
        # units, seeds and the discovery service, against two cores less 0.7 a node
        pytest.param({**ONE_NODE, "units.cpu": "1100m"}, None, id="just enough"),
        pytest.param({**ONE_NODE, "units.cpu": "1101m"}, "units.cpu 1100m", id="a bit too much"),
        pytest.param({**ONE_NODE, "seeds.cpu": "0.5"}, "units.cpu 300m", id="large seeds"),
        pytest.param({**ONE_NODE, "seeds.cpu": "2"}, "seeds.cpu 50m", id="too large seeds"),
        pytest.param({"units.count": 7}, None, id="three zones, just enough"),
        pytest.param({"units.cpu": "2"}, "units.cpu 1166m", id="three zones, too much"),
        pytest.param(
            {"units.cpu": "2", "gke.machineType": "n2d-highmem-4"}, None, id="larger machines"
        ),
        pytest.param(
            {"units.cpu": "4", "gke.machineType": "c3-standard-4-lssd"},
            "units.cpu 3166m",
            id="machines with a local disk",
        ),
        pytest.param(
            {"units.cpu": "20", "gke.machineType": "e2-custom-2-4096"},
            None,
            id="a type that is not known to say its cores",
        ),
        pytest.param({"units.cpu": "20", "gke.autopilot": True}, None, id="nodes as they come"),
    ],
)
def test_members_that_no_node_has_room_for_are_worth_a_warning(
    values: dict[str, object], next_step: str | None
) -> None:
    found = parse(made(values)).warnings
    assert len(found) == (next_step is not None)
    for warning in found:
        assert f"Next: pulumi config set --path etcd:{next_step}," in warning


def test_the_cheap_cluster_of_the_readme_has_room_for_its_members() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (text,) = re.findall(r"A cheap GKE cluster.*?```yaml\n(.*?)```", readme, re.S)
    config = {key.removeprefix("etcd:"): v for key, v in yaml.safe_load(text)["config"].items()}
    found = parse(config, google_project="my-project")
    assert found.gke.node_count == 1
    (only,) = found.warnings
    assert "the loss of one node" in only, "which is what makes it cheap"
