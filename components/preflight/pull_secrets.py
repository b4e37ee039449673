"""Whether the Secrets by which nodes are to log in to the image's registry can serve. Pure.

The kubelet passes over one that is not there, or is of another kind, and pulls without it: what the
registry says then is all that is known (kubernetes: pkg/credentialprovider/secrets/secrets.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.site import Site, kubectl

KINDS = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")
"""Of a Secret that a kubelet looks at; Kubernetes itself sees to what is in one."""


def unfit(site: Site, found: Mapping[str, Any]) -> list[str]:
    """`found`: by name the Secrets that are named; None for one that is not in the namespace."""
    return [told for name, one in found.items() if (told := _problem(site, name, one))]


def homeless(site: Site, names: list[str]) -> list[str]:
    """The same where the namespace, too, has yet to be made."""
    if not names:
        return []
    return [
        f"etcd:image.pullSecrets names {', '.join(names)}, and namespace {site.namespace} is not "
        f"there. Make it first, {kubectl(site.context, 'create', 'namespace', site.namespace)}, "
        f"and in it: {_command(site, names[0])}"
    ]


def _problem(site: Site, name: str, found: Any) -> str | None:
    what = f"Secret {name} of namespace {site.namespace}, which etcd:image.pullSecrets names,"
    if found is None:
        return f"{what} is not there. Make it: {_command(site, name)}"
    if found.type in KINDS:
        return None
    return (
        f"{what} is of type {found.type}, which cannot be changed; allowed: {', '.join(KINDS)}. "
        f"Make it anew: {site.kubectl('delete', 'secret', name)}, then {_command(site, name)}"
    )


def _command(site: Site, name: str) -> str:
    account = [f"--docker-{part}" for part in ("server=HOST", "username=USER", "password=PASSWORD")]
    return site.kubectl("create", "secret", "docker-registry", name, *account)
