"""What goes wrong with a question to Kubernetes or a command in a pod, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TypeVar

import urllib3
from kubernetes.client import ApiException

from components.kube import remedies
from components.progress import SequenceError
from components.site import Site

T = TypeVar("T")


class ExecError(Exception):
    """A command in a pod failed.

    Its text is one line, the last one that was said: above it etcdctl's log may stand.
    """

    def __init__(self, said: str) -> None:
        super().__init__(said.strip().splitlines()[-1])


class NoExecError(ExecError):
    """Nothing can be run in this pod, which says nothing of etcd: another pod may do as well."""


class UnreachableError(SequenceError):
    """Nobody answers at the Kubernetes cluster's address, which a refusal is not."""


def unless(status: HTTPStatus, ask: Callable[[], T]) -> T | None:
    """What the Kubernetes API answers; None where it answers with this status.

    NOT_FOUND: there is no such object. FORBIDDEN: this user may not ask, which proves nothing.
    Raises ApiException for any other refusal.
    """
    try:
        return ask()
    except ApiException as error:
        if error.status != status:
            raise
        return None


@contextmanager
def gone_is_fine() -> Generator[None]:
    """Let pass that an object is not there any more."""
    try:
        yield
    except ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


@contextmanager
def plain_errors(site: Site) -> Generator[None]:
    """Turn what the official client raises into one message that says what to do."""
    try:
        yield
    except ApiException as error:
        gone = error.status == HTTPStatus.NOT_FOUND
        what = "has no such object any more" if gone else "refuses"
        said = told_by(error)
        raise SequenceError(
            f"Kubernetes {what} (context {site.context}, namespace {site.namespace}): {said}",
            remedies.of_answer(error.status, said),
        ) from None
    except ExecError as error:
        raise SequenceError(
            f"{error} (context {site.context}, namespace {site.namespace})",
            "pulumi up, which goes on from here",
        ) from None
    except urllib3.exceptions.HTTPError as error:
        raise UnreachableError(
            f"the Kubernetes API of context {site.context} does not answer: {error}",
            remedies.look_at(site.context),
        ) from None
    except ValueError as error:  # the client's models check what they are made from
        raise SequenceError(
            f"what answers at context {site.context} is not what Kubernetes would say: "
            f"{str(error).splitlines()[0]}",
            remedies.look_at(site.context),
        ) from None


def told_by(error: ApiException) -> str:
    """Kubernetes' own words; the status line where something before it has answered."""
    try:
        return json.loads(error.body or "")["message"]
    except (ValueError, KeyError, TypeError):
        return f"{error.status} {error.reason}"
