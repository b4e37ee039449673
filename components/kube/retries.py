"""Bearing with a Kubernetes API that is away for a moment.

Control planes are upgraded, change their leader, and turn away whoever asks too much. What a
sequence asks may all be asked twice: it sets, deletes and reads, and a Secret that is there
already is replaced.
"""

from __future__ import annotations

import ssl
import time
from http import HTTPStatus
from typing import Any

import urllib3

ATTEMPTS = 11
FIRST_PAUSE_SECONDS = 0.4
"""After the second attempt; the first is repeated at once, since it mostly is an old connection
that was closed. Each pause doubles, up to the longest; together some 50 s. That is all where
connections are refused; where nobody says anything, each attempt adds its time-out."""
LONGEST_PAUSE_SECONDS = 10.0

_BUSY = (429, 500, 502, 503, 504)
"""The API server is not there, or turns away, or is in trouble that passes. It says 500 where an
admission webhook does not answer, where its own etcd changes leaders (kubernetes#112152), and
where it is out of time ("please try again": NewServerTimeout in apimachinery, pkg/api/errors).
Commands in pods are not asked for here: what says 500 to those is a kubelet."""


class Retries(urllib3.Retry):
    """urllib3's own repetition, that tells of itself once it takes longer."""

    @staticmethod
    def about_a_minute() -> Retries:
        return Retries(
            total=ATTEMPTS - 1,
            backoff_factor=FIRST_PAUSE_SECONDS / 2,
            backoff_max=LONGEST_PAUSE_SECONDS,
            status_forcelist=_BUSY,
            allowed_methods=None,  # all of them
            raise_on_status=False,  # the last answer is Kubernetes' own words
            retry_after_max=int(LONGEST_PAUSE_SECONDS),
        )

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        *args: Any,
        error: Exception | None = None,
        response: Any = None,
        **kwargs: Any,
    ) -> Retries:
        """As urllib3 has it: what is left of it after one more attempt. Raises MaxRetryError, for
        which urllib3 hands out the answer, if there was one (`raise_on_status`)."""
        last = _is_refusal(error) or _is_deferred(url, response)
        now = self.new(total=0) if last else self
        left = super(Retries, now).increment(
            method, url, *args, error=error, response=response, **kwargs
        )
        if len(left.history) > 1:
            latest = left.history[-1]
            reason = latest.error or f"{latest.status}"
            print(f"[kubernetes] no answer from the API, asking again: {reason}", flush=True)
        return left

    def sleep(self, response: urllib3.BaseHTTPResponse | None = None) -> None:
        """As long as the API asks for, and not shorter than without that.

        urllib3 takes `Retry-After` in the place of its own pause, and an API server says 1 s
        however long it has too much to do (apiserver: pkg/server/filters): all attempts together
        would be over in 10 s.
        """
        asked = self.get_retry_after(response) if response is not None else None
        time.sleep(max(asked or 0, self.get_backoff_time()))


def _is_refusal(error: Exception | None) -> bool:
    """Whether a certificate is no good, theirs or ours; a handshake that was cut is none."""
    if not isinstance(error, urllib3.exceptions.SSLError):
        return False
    cause = error.args[0] if error.args else None
    return not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)


def _is_deferred(url: str | None, response: Any) -> bool:
    """Whether this is the answer to an eviction that may not be now, most likely by a budget: an
    answer like any other, after which its sequence looks again whether it is still to be."""
    path = (url or "").partition("?")[0]
    busy = response is not None and response.status == HTTPStatus.TOO_MANY_REQUESTS
    return busy and path.endswith("/eviction")
