"""What a unit's pod may ask of Kubernetes: its own StatefulSet and nothing else. Pure."""

from __future__ import annotations

from typing import Any

RBAC = "rbac.authorization.k8s.io"
"""API group."""


def rules(units: str) -> list[dict[str, Any]]:
    """The rules of the units' Role; `units`: their StatefulSet."""
    return [
        {
            "apiGroups": ["apps"],
            "resources": ["statefulsets"],
            "resourceNames": [units],
            "verbs": ["get"],
        }
    ]
