"""The Secret of the bootstrap: what it holds, and whose it is. Pure.

By it an `up` knows of an earlier one that was cut off, and it is deleted in the end. So it must be
this stack's own, by its labels, as every other object.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from components.progress import SequenceError
from components.site import Site


def manifest(site: Site, name: str, data: Mapping[str, str]) -> dict[str, Any]:
    """The Secret as it is to be made."""
    labels = {**site.identity, "app.kubernetes.io/managed-by": "pulumi"}
    return {"metadata": {"name": name, "labels": labels}, "stringData": dict(data)}


def held(site: Site, found: Any) -> dict[str, str]:
    """What it holds, as text. Raises SequenceError for one that is not this stack's.

    Versions of the program that set no labels may have left one. It tells whether clients were let
    in, so it is labelled then, not deleted.
    """
    if not site.owns(found):
        name, labels = found.metadata.name, site.identity
        given = [f"{key}={value}" for key, value in labels.items()]
        raise SequenceError(
            f"Secret {name} of namespace {site.namespace} exists and is not of this stack (labels: "
            f"{found.metadata.labels or 'none'}). Give it another name; or, if it holds protocol, "
            "token and endpoint, which an older version of this program has left there, make it "
            f"this stack's: {site.kubectl('label', 'secret', name, *given)}",
            "pulumi up, once that is mended",
        )
    encoded = (found.data or {}).items()
    # Text, unless somebody else has written to it.
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in encoded}
