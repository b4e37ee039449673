"""Settings that stay as they are while the cluster exists. Pure."""

from __future__ import annotations

from collections.abc import Mapping

STACK = "stack"
"""The one among the fixed settings that is no config key: the stack's name."""

UNSET = "null"


def refusal(old: Mapping[str, str], new: Mapping[str, str], plan: str = "") -> str | None:
    """Why the change from `old` to `new` must not be; None if nothing that was fixed changes.

    `plan`: what the change would do, if it were let.
    """
    changed = [key for key in old if old[key] != new.get(key, UNSET)]
    if not changed:
        return None
    said = "; ".join(
        f"{_named(key)} goes from {old[key]} to {new.get(key, UNSET)}" for key in changed
    )
    would = f" {plan}." if plan else ""
    return (
        f"{said}: not possible while the cluster exists.{would}\n"
        f"Next: {_way_back(changed[0], old[changed[0]])} "
        "(or give the cluster up, and its data, first: "
        "etcd:storage.retain false, pulumi up, pulumi destroy; "
        # Where the old value is why no `up` has ended, setting it back leads nowhere.
        "or, if no etcd cluster was born yet, pulumi destroy, pulumi up)"
    )


def _named(key: str) -> str:
    return "the stack's name" if key == STACK else f"etcd:{key}"


def _way_back(key: str, value: str) -> str:
    if key == STACK:
        return f"pulumi stack rename {value}"
    if value == UNSET:
        return f"pulumi config rm --path etcd:{key}"
    return f"pulumi config set --path etcd:{key} {value}"
