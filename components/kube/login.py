"""Logging in by the command that a kubeconfig's user names (`exec`: kubelogin, aws and others).

Where it fails the official client says so in its log alone, and goes on as nobody
(kubernetes-client/python#1409). Kubernetes then refuses what system:anonymous asks for, and to
grant that is the last thing to do.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from kubernetes.config import exec_provider

from components.kube import remedies
from components.progress import SequenceError


@contextmanager
def heard() -> Generator[list[str]]:
    """What the official client tells its log meanwhile, of its configuration."""
    words: list[str] = []
    listening = logging.Handler()
    listening.addFilter(lambda record: record.module == "kube_config")
    listening.emit = lambda record: words.append(" ".join(record.getMessage().split()))
    logging.getLogger().addHandler(listening)
    try:
        yield words
    finally:
        logging.getLogger().removeHandler(listening)


def failed(
    context: str, user: Mapping[str, Any], configuration: Any, words: list[str]
) -> SequenceError | None:
    """What is wrong with a user who logs in by a command, and has got nothing to show.

    `words`: as `heard` meanwhile. None where nothing is. Pure.
    """
    if "exec" not in user or configuration.api_key or configuration.cert_file:
        return None
    command = str((user["exec"] or {}).get("command") or "its command")
    return SequenceError(
        f"no login to Kubernetes: {command}, which context {context} names for it, gave neither a "
        f"token nor a certificate: {'; '.join(words) or 'no word why'}",
        f"log in as ever, or install {command} if it is missing, until "
        f"`{remedies.look_at(context)}` answers; then pulumi up",
    )


class Unasked(subprocess.Popen[str]):
    """A login that has nobody to ask, unless at a terminal: it reads nothing, as kubectl has it
    (client-go: exec.go). Pulumi's plugins have a pipe there that stays open, and it would wait for
    ever."""

    def __init__(self, *args: Any, stdin: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, stdin=subprocess.DEVNULL if stdin is None else stdin, **kwargs)

    def communicate(self, *args: Any, **kwargs: Any) -> tuple[str, str]:
        out, err = super().communicate(*args, **kwargs)
        # At a terminal it was shown, and the official client fails over the want of it.
        return out, err or ""


# It starts the command itself, and lets nobody say how.
exec_provider.subprocess = SimpleNamespace(Popen=Unasked, PIPE=subprocess.PIPE)
