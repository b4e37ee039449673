"""The config group `gke`: the cluster that the program makes. Pure."""

from __future__ import annotations

from typing import get_args

from components.settings import model, syntax
from components.settings.model import ZONES
from components.settings.reader import Problems, Section, remove_value, set_value

MOST_NODES = 60
"""The network has room for 64, and an upgrade adds one in each zone (components/network.py)."""

MOST_LABELS = 64
"""Google: labelling resources."""

MOST_NETWORKS = 100
"""GKE: authorized networks of a cluster with private nodes."""

_UNUSED_BY_AUTOPILOT = {
    "zone": "is regional always",
    "nodeCount": "adds and removes nodes by itself",
    "machineType": "chooses machines by itself",
}


def read(section: Section, project: str | None, stack: str) -> model.GkeSettings:
    """`project`: of `gcp:project`. `stack`: its name, of which the cluster's is made."""
    create = section.boolean("create", False)
    result = model.GkeSettings(
        create=create,
        project=_project(section, create, project),
        region=section.text("region", "us-central1", syntax.REGION),
        zone=section.optional_text("zone", syntax.ZONE),
        cluster_name=_cluster_name(section, create, stack),
        node_count=section.integer("nodeCount", ZONES, 1, MOST_NODES, unit=" (nodes in total)"),
        machine_type=section.text("machineType", "e2-standard-2", syntax.MACHINE_TYPE),
        channel=section.choice("channel", "REGULAR", get_args(model.Channel)),
        deletion_protection=section.boolean("deletionProtection", False),
        autopilot=section.boolean("autopilot", False),
        authorized_networks=_networks(section),
        kms_key=section.optional_text("kmsKey", syntax.KMS_KEY),
        labels=section.texts(
            "labels",
            lambda path, name: _is_label(section.problems, path, name),
            syntax.GOOGLE_LABEL,
        ),
        maintenance_start=section.text("maintenanceStart", "03:00", syntax.TIME),
    )
    if create:
        _places(section.problems, result)
        _counts(section, result)
    elif section.problems.none_at("gke.create"):
        _unused(section)
    return result


def _project(section: Section, create: bool, fallback: str | None) -> str | None:
    found = section.optional_text("project", syntax.PROJECT)
    if not create or found is not None or not section.problems.none_at("gke.project"):
        return found
    if fallback is None:
        section.problems.say(
            "gke.project",
            "is not set, and neither is gcp:project; allowed: "
            f"{syntax.PROJECT.allowed}. gcloud projects list shows yours",
            set_value("gke.project", "PROJECT"),
        )
    elif not syntax.PROJECT.matches(fallback):
        section.problems.say(
            "gke.project",
            f"is not set, and gcp:project is {fallback!r}; allowed: {syntax.PROJECT.allowed}",
            set_value("gke.project", "PROJECT"),
        )
    return fallback


def _cluster_name(section: Section, create: bool, stack: str) -> str | None:
    found = section.optional_text("clusterName", syntax.GKE_NAME)
    if not create or found is not None or not section.problems.none_at("gke.clusterName"):
        return found
    name = f"etcd-{stack}"
    if not syntax.GKE_NAME.matches(name):
        section.problems.say(
            "gke.clusterName",
            f"is not set, and {name!r}, of the stack's name, is none that GKE takes; "
            f"allowed: {syntax.GKE_NAME.allowed}",
            set_value("gke.clusterName", "etcd"),
        )
    return name


def _networks(section: Section) -> tuple[str, ...]:
    entries = section.items("authorizedNetworks", syntax.AUTHORIZED_CIDR.example)
    ranges = [
        section.check_text(path, "" if entry is None else entry, syntax.AUTHORIZED_CIDR)
        for path, entry in entries
    ]
    _at_most(section.problems, "gke.authorizedNetworks", len(ranges), MOST_NETWORKS, "ranges")
    return tuple(text for text in ranges if text is not None)


def _is_label(problems: Problems, path: str, name: str) -> bool:
    if syntax.GOOGLE_LABEL_KEY.matches(name):
        return True
    allowed = syntax.GOOGLE_LABEL_KEY.allowed
    problems.say(path, f"is no label of Google's; allowed: {allowed}", remove_value(path))
    return False


def _at_most(problems: Problems, path: str, count: int, most: int, what: str) -> None:
    if count > most:
        problems.say(path, f"has {count} {what}; allowed: up to {most}", remove_value(path))


def _places(problems: Problems, gke: model.GkeSettings) -> None:
    """The zone and the key are where the cluster is."""
    if gke.zone and problems.none_at("gke.zone", "gke.region"):
        region = gke.zone.rpartition("-")[0]
        if region != gke.region:
            problems.add(
                "gke.zone",
                gke.zone,
                f"allowed: a zone of gke.region, which is {gke.region}",
                set_value("gke.region", region),
            )
    if gke.kms_key and problems.none_at("gke.kmsKey", "gke.region"):
        location = gke.kms_key.split("/")[3]
        if location != gke.region:
            problems.add(
                "gke.kmsKey",
                gke.kms_key,
                f"allowed: a key in gke.region, which is {gke.region}; this one is in {location}, "
                "and GKE and Artifact Registry take keys of their own place only",
                remove_value("gke.kmsKey"),
            )
    _at_most(problems, "gke.labels", len(gke.labels), MOST_LABELS, "labels")


def _counts(section: Section, gke: model.GkeSettings) -> None:
    problems = section.problems
    if gke.autopilot:
        for key, why in _UNUSED_BY_AUTOPILOT.items():
            if section.given(key) and problems.none_at(f"gke.{key}"):
                problems.say(
                    f"gke.{key}",
                    f"would not be used; allowed: null with gke.autopilot, which {why}",
                    remove_value(f"gke.{key}"),
                )
        return
    count = gke.node_count
    if problems.none_at("gke.nodeCount", "gke.zone") and not gke.zone and count % ZONES:
        higher = count + ZONES - count % ZONES
        problems.add(
            "gke.nodeCount",
            count,
            f"allowed: a multiple of {ZONES}, since the nodes are spread evenly over {ZONES} zones "
            "(any number with gke.zone)",
            set_value("gke.nodeCount", str(min(higher, MOST_NODES))),
        )


def _unused(section: Section) -> None:
    """A key that nothing looks at is a misunderstanding."""
    for key in section.known:
        if key != "create" and section.given(key) and section.problems.none_at(f"gke.{key}"):
            section.problems.say(
                f"gke.{key}",
                "would not be used; allowed: null while gke.create is false, which takes the "
                "cluster of kubernetes.context as it is",
                remove_value(f"gke.{key}"),
            )
