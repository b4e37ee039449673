"""Where v3 discovery keeps what belongs to a token (etcd: server/etcdserver/api/v3discovery).

One copy for everyone: the supervisor in the pods and the dynamic resources.
"""

from __future__ import annotations


def prefix(token: str) -> str:
    """What all keys of the token begin with: its size, and `members/<ID>` of each seed."""
    return f"/_etcd/registry/{token}/"


def size_key(token: str) -> str:
    """The key that says how many seeds there will be."""
    return f"{prefix(token)}_config/size"
