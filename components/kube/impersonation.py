"""A kubeconfig's user that acts as another (`as`, `as-uid`, `as-groups`, `as-user-extra`). Pure.

kubectl and Pulumi's plugin do so; the official client knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_LEGAL = "!#$&'*+-.^_`|~"
"""In a header's name beside letters and digits; all else is escaped there (client-go:
headerKeyEscape)."""


def headers(user: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What every question carries; nothing where the user acts for itself.

    As client-go has it: without `as` the rest counts for nothing (clientcmd/client_config.go), and
    each group and each value is a header of its own (transport/round_trippers.go).
    """
    if not user.get("as"):
        return []
    found = [("Impersonate-User", user["as"])]
    if user.get("as-uid"):
        found.append(("Impersonate-Uid", user["as-uid"]))
    found += [("Impersonate-Group", group) for group in user.get("as-groups") or []]
    for key, values in (user.get("as-user-extra") or {}).items():
        name = f"Impersonate-Extra-{quote(str(key), safe=_LEGAL)}"
        found += [(name, value) for value in values or []]
    return [(name, str(value)) for name, value in found]
