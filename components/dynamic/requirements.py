"""Dynamic resource `Requirements`: what a GKE cluster needs before Google is asked for anything.

A cluster takes ten minutes to make; a program that is missing would be found after that.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, Resource

from components.dynamic.provider import DynamicProvider
from components.settings.immutable import refusal

HINTS = {
    "gke-gcloud-auth-plugin": "gcloud components install gke-gcloud-auth-plugin "
    "(Debian: apt-get install google-cloud-cli-gke-gcloud-auth-plugin)",
    "docker": "install Docker, or take a prebuilt image: pulumi config set --path "
    "etcd:image.build false",
}
"""How to come by each program."""


def missing(programs: Iterable[str]) -> str | None:
    """Say which of the programs are not there, and the way to the first; None if all are."""
    absent = [name for name in programs if shutil.which(name) is None]
    if not absent:
        return None
    return f"not found on PATH: {', '.join(absent)}.\nNext: {HINTS[absent[0]]}"


def other_platform(old: Mapping[str, str], new: Mapping[str, str]) -> str | None:
    """Why the nodes must not become those of another processor; None if they do not.

    Nodes are there before pods are, so they would be exchanged before the members' image.
    """
    if not old or old["platform"] == new["platform"]:
        return None
    key = "gke.machineType"
    return refusal(
        {key: old["machine_type"]},
        {key: new["machine_type"]},
        f"The new nodes take images for {new['platform']} alone, and would come while all members "
        f"still have theirs for {old['platform']}: none would run",
    )


class RequirementsProvider(DynamicProvider):
    """Looks at this machine's programs and at the project's APIs; changes nothing."""

    inputs = ("project", "apis")

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In preview already: programs that are missing, changes that would end the cluster.

        Google replaces a cluster whose place or name changes, and every member goes with it.
        """
        plan = (
            f"It would replace {_olds.get('cluster')}, its nodes, network and registry, and with "
            "them every member and its data"
        )
        reasons = (
            missing(news["programs"]),
            refusal(_olds.get("fixed") or {}, news["fixed"], plan),
            other_platform(_olds.get("nodes") or {}, news["nodes"]),
        )
        # Without a property: the CLI would show that one's whole value.
        return CheckResult(news, [CheckFailure("", reason) for reason in reasons if reason])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return if every API is enabled. Raises SequenceError with the command that does it."""
        from components.preflight.google_apis import require  # noqa: PLC0415 - once in a stack's life

        require(str(props["project"]), [str(name) for name in props["apis"]])
        return CreateResult(id_=str(props["cluster"]), outs=props)

    def delete(self, _id: str, _props: Any) -> None:
        """Nothing: it has made nothing."""


class Requirements(Resource, module="etcd", name="Requirements"):
    """The gate in front of everything on Google Cloud.

    **Pulumi Type:** ``pulumi-python:dynamic/etcd:Requirements``
    Deliberately absent: a look at rights and quotas. Google judges both when it is asked, and says
    what is missing.
    """

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`props`: cluster (its path, for people), project, apis and programs (lists of names),
        fixed (setting by key), nodes (machine_type, platform)."""
        super().__init__(RequirementsProvider(), name, props, opts)
