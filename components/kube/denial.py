"""What an admission denies, and commands in pods that the API server lets nobody run, which no
waiting changes. Pure."""

from __future__ import annotations

import json
import re

from websocket import WebSocketBadStatusException

from components.progress import SequenceError
from components.site import Site

_DENIED = re.compile(r"denied (the )?request")
"""Kubernetes' own words, whatever the status that comes with them: of an admission webhook (in its
webhook/errors/statuserror.go) and of a ValidatingAdmissionPolicy (in validating/dispatcher.go)."""


def is_told(said: str) -> bool:
    """Whether this is an admission's word. Gatekeeper's comes with 403, as a missing right does."""
    return _DENIED.search(said) is not None


def require_none(error: Exception, site: Site, pod: str) -> None:
    """Raise SequenceError where a connection to this pod has failed since somebody forbids it.

    By a Status with the reason Forbidden, or with the words of an admission. Anything else may pass
    by itself: 400 is also answered while a pod has no node, or has ended, and what a kubelet says,
    of a container that does not run yet or of who asks, is plain text. A denial of more than 2 kB
    is not seen: it comes in chunks, which the websocket's client does not read.
    """
    # The official client makes one error of all, without a status.
    handshake = error.__context__
    if not isinstance(handshake, WebSocketBadStatusException):
        return
    try:
        status = json.loads(handshake.resp_body or "")
        message, reason = " ".join(status["message"].split()), status.get("reason")
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    if reason == "Forbidden" or is_told(message):
        raise SequenceError(
            f"Kubernetes lets no command run in pod {pod} (context {site.context}, namespace "
            f"{site.namespace}): {message}",
            f"allow exec into the pods of namespace {site.namespace}, then pulumi up",
        ) from None
