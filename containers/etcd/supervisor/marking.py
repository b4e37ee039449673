"""The birth mark, written again where a client has deleted it."""

from __future__ import annotations

from .etcdctl import EtcdctlError, read_birth, write_birth
from .log import log


def mark_again(url: str, mark: str) -> None:
    """Write `mark` where there is none; never over another one.

    A unit that was removed, and whose disk knows the mark, refuses to join a cluster without it.
    `url`: of the etcd that was seen to be the member for which `mark` is noted.
    """
    if read_birth(url) != "":
        return
    try:
        write_birth(url, mark)
        log("the cluster's birth mark, which a client had deleted, is written again")
    except EtcdctlError as error:
        log(f"the cluster's birth mark is gone, and not written again yet: {error}")
