"""Bearing with a Kubernetes API that is away for a moment.

Control planes are upgraded, change their leader, and turn away whoever asks too much. What a
sequence asks may all be asked twice: it sets, deletes and reads, and a Secret that is there
already is replaced. What answers in its place meanwhile is not believed.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

import urllib3
from kubernetes import client
from kubernetes.client import ApiException
from kubernetes.stream import ws_client
from websocket import WebSocket

ATTEMPTS = 11
FIRST_PAUSE_SECONDS = 0.4
"""After the second attempt; the first is repeated at once, since it mostly is an old connection
that was closed. Each pause doubles, up to the longest; together some 50 s. That is all where
connections are refused; where nobody says anything, each attempt adds its time-out."""
LONGEST_PAUSE_SECONDS = 10.0

ANSWER_SECONDS = (5, 30)
"""To connect, and between two pieces of an answer: an API that is cut off says nothing at all."""

COMMAND_SECONDS = 10
"""To reach a command in a pod, by way of its kubelet, and between two pieces of what it says."""

_BUSY = (429, 502, 503, 504)
"""The API server is not there, or turns away; 500 is its answer to what will not get better."""


class Patience(urllib3.Retry):
    """urllib3's own repetition, that tells of itself once it takes longer."""

    @staticmethod
    def about_a_minute() -> Patience:
        return Patience(
            total=ATTEMPTS - 1,
            backoff_factor=FIRST_PAUSE_SECONDS / 2,
            backoff_max=LONGEST_PAUSE_SECONDS,
            status_forcelist=_BUSY,
            allowed_methods=None,  # all of them
            raise_on_status=False,  # the last answer is Kubernetes' own words
            retry_after_max=int(LONGEST_PAUSE_SECONDS),
        )

    def increment(self, *args: Any, error: Exception | None = None, **kwargs: Any) -> Patience:
        """As urllib3 has it: what is left of it after one more attempt. Raises MaxRetryError."""
        now = self.new(total=0) if _is_refusal(error) else self
        left = super(Patience, now).increment(*args, error=error, **kwargs)
        if len(left.history) > 1:
            last = left.history[-1]
            reason = last.error or f"{last.status}"
            print(f"[kubernetes] no answer from the API, asking again: {reason}", flush=True)
        return left


def _is_refusal(error: Exception | None) -> bool:
    """Whether a certificate is no good, theirs or ours; a handshake that was cut is none."""
    if not isinstance(error, urllib3.exceptions.SSLError):
        return False
    cause = error.args[0] if error.args else None
    return not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)


class Client(client.ApiClient):
    """The official client, that never waits for an answer without an end, and believes Kubernetes
    alone.

    A proxy before an API server that is away answers, too, with 404 or with a page of its own; and
    what follows from a 404 may be that data goes. Raises HTTPError there, as where nobody answers.
    """

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        kwargs["_request_timeout"] = kwargs.get("_request_timeout") or ANSWER_SECONDS
        path = url.removeprefix(self.configuration.host)
        try:
            answer = super().request(method, url, *args, **kwargs)
        except ApiException as error:
            names = path.strip("/").split("/")
            if error.status == HTTPStatus.NOT_FOUND and not is_missed(error.body, names):
                raise _stranger(error.status, method, path) from None
            raise
        if answer.data[:1] not in ("{", b"{"):  # all that is asked for here is an object
            raise _stranger(answer.status, method, path)
        return answer


def _stranger(status: int, method: str, path: str) -> urllib3.exceptions.HTTPError:
    said = f"{status} to {method} {path}, and that is no word of Kubernetes"
    return urllib3.exceptions.HTTPError(said)


def is_missed(said: str | bytes | None, names: Collection[str]) -> bool:
    """Whether Kubernetes says that one of these names is not there. Pure.

    By the Status that it answers with (API conventions: response status kind).
    """
    try:
        status = json.loads(said or "")
        return status["reason"] == "NotFound" and status["details"]["name"] in names
    except (ValueError, KeyError, TypeError):
        return False


class Connection(WebSocket):
    """To a command in a pod. The official client gives it no time-out, nor does the API server on
    its way to a kubelet that stands still, while its node takes every connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settimeout(COMMAND_SECONDS)


# It makes its own, and lets nobody hand it another.
ws_client.WebSocket = Connection
