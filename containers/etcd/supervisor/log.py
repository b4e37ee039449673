"""The supervisor's own lines in the pod's log."""

from __future__ import annotations


def log(text: str) -> None:
    """One line, told apart from etcd's JSON lines."""
    print(f"supervisor: {text}", flush=True)
