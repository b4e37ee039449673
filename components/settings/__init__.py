"""A stack's configuration: read once, checked as a whole, then plain frozen values.

`parse` is pure; `load` gives it what Pulumi has. `model` says what there is, `etcd`, `gke` and
`groups` the keys, defaults and rules of each group, `relations` the rules between groups,
`immutable` why a change must not be while the cluster exists.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from components.settings import etcd, gke, groups, relations
from components.settings.model import (
    DiscoverySettings,
    EnvVar,
    EtcdSettings,
    GkeSettings,
    HandoverSettings,
    ImageSettings,
    KubernetesSettings,
    SeedsSettings,
    ServiceSettings,
    Settings,
    StorageSettings,
    UnitsSettings,
)
from components.settings.reader import (
    NAMESPACE,
    Problems,
    Section,
    SettingsError,
    closest,
)
from components.settings.syntax import COMPONENT

__all__ = [
    "DiscoverySettings",
    "EnvVar",
    "EtcdSettings",
    "GkeSettings",
    "HandoverSettings",
    "ImageSettings",
    "KubernetesSettings",
    "SeedsSettings",
    "ServiceSettings",
    "Settings",
    "SettingsError",
    "StorageSettings",
    "UnitsSettings",
    "load",
    "parse",
]

GROUPS = (
    "image",
    "gke",
    "kubernetes",
    "etcd",
    "discovery",
    "seeds",
    "units",
    "service",
    "storage",
    "handover",
)

NOT_YET = ("tls",)
"""Groups whose names are taken."""


def load() -> Settings:
    """Read and check the config of the stack that is being run, and tell its warnings.

    Raises pulumi.RunError, which Pulumi shows without a traceback, with all that is wrong.
    """
    config = pulumi.Config(NAMESPACE)
    # pulumi.Config can only be asked for known keys; a misspelt one must not be lost.
    given = {**get_config_env(), **CONFIG.get()}
    names = [key.removeprefix(f"{NAMESPACE}:") for key in given if key.startswith(f"{NAMESPACE}:")]
    try:
        settings = parse(
            {name: _decoded(config.get(name)) for name in (*GROUPS, *sorted(names))},
            stack=pulumi.get_stack(),
            google_project=pulumi.Config("gcp").get("project"),
        )
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    for warning in settings.warnings:
        pulumi.log.warn(warning)
    return settings


def parse(
    config: Mapping[str, object], *, stack: str = "dev", google_project: str | None = None
) -> Settings:
    """Turn groups of decoded values (`{"units": {"count": 3}}`) into settings.

    `google_project`: of the Google provider's own config. Raises SettingsError with every problem
    at once.
    """
    problems = Problems()
    _report_stack_name(stack, problems)
    _report_unknown_groups(config, problems)
    sections = {name: Section(problems, name, config.get(name)) for name in GROUPS}
    cluster = gke.read(sections["gke"], google_project, stack)
    # A wrong `gke.create` is one problem; what would follow from it is none.
    own = cluster.create or not problems.none_at("gke.create")
    settings = Settings(
        image=groups.image(sections["image"], own_registry=own),
        gke=cluster,
        kubernetes=groups.kubernetes(sections["kubernetes"], own_cluster=own),
        etcd=etcd.read(sections["etcd"]),
        discovery=groups.discovery(sections["discovery"]),
        seeds=groups.seeds(sections["seeds"]),
        units=groups.units(sections["units"]),
        service=groups.service(sections["service"]),
        storage=groups.storage(sections["storage"]),
        handover=groups.handover(sections["handover"]),
        warnings=(),
    )
    for section in sections.values():
        section.finish()
    relations.check(settings, problems)
    if problems.texts:
        raise SettingsError(problems.texts)
    return replace(settings, warnings=relations.warnings(settings))


def _report_stack_name(stack: str, problems: Problems) -> None:
    """It is a label of every object, and part of every selector."""
    if COMPONENT.matches(stack):
        return
    problems.texts.append(
        f"the stack's name is {stack!r}; allowed: {COMPONENT.allowed}\n"
        "  Next: pulumi stack rename NAME"
    )


def _report_unknown_groups(config: Mapping[str, object], problems: Problems) -> None:
    for name in config:
        group, dot, key = name.partition(".")
        if name in GROUPS:
            continue
        if name in NOT_YET:
            problems.say(name, "is not available yet", f"pulumi config rm {NAMESPACE}:{name}")
        elif dot and group in GROUPS:
            # `pulumi config set units.count 3` without --path makes a key with a dot in its name.
            problems.say(
                name,
                f"is one key with a dot in it, not {key} of {NAMESPACE}:{group}",
                f"pulumi config rm {shlex.quote(f'{NAMESPACE}:{name}')}, then set it with --path",
            )
        else:
            meant = closest(name, GROUPS)
            problems.say(
                name,
                f"is not a key of this program; keys: {', '.join(GROUPS)}",
                f"write {NAMESPACE}:{meant} instead of {NAMESPACE}:{name}"
                if meant
                else f"pulumi config rm {shlex.quote(f'{NAMESPACE}:{name}')}",
            )


def _decoded(value: str | None) -> object:
    """Pulumi hands over objects as JSON. Anything else stays what it is: a string."""
    if value is None:
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
