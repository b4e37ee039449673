"""The one question a member asks Kubernetes: does my StatefulSet want my ordinal?"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

LEAVING_ANNOTATION = "etcd.pulumi.com/leaving"
"""On the units' StatefulSet while a scale-down takes this ordinal out of the membership."""


PAUSE_SECONDS = 0.5
_NO_ANSWER = (OSError, ValueError, http.client.HTTPException)


def wants(namespace: str, stateful_set: str, ordinal: int, *, attempts: int = 1) -> bool | None:
    """Whether the StatefulSet wants `ordinal`; None when it is gone, going or cannot be read.

    `attempts`: how often an API that does not answer is asked; each takes up to 3 s.
    """
    for attempt in range(attempts):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        with suppress(*_NO_ANSWER):
            return _asked(namespace, stateful_set, ordinal)
    return None


def _asked(namespace: str, stateful_set: str, ordinal: int) -> bool | None:
    """Raises what stands in _NO_ANSWER."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    url = f"https://{host}:{port}/apis/apps/v1/namespaces/{namespace}/statefulsets/{stateful_set}"
    token = (_ACCOUNT / "token").read_text()
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    trust = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    # From Python 3.13 on certificates must have what those of many clusters lack, and what Go does
    # not ask for (kubernetes-client/python#2394).
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        with urllib.request.urlopen(request, timeout=3, context=trust) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.TOO_MANY_REQUESTS or error.code >= 500:
            raise
        return None  # gone, or not to be read by this account
    return wanted(found, ordinal)


def wanted(stateful_set: Any, ordinal: int) -> bool | None:
    """The rule behind `wants`, on the object as Kubernetes gives it; None for what is no such."""
    try:
        metadata, spec = stateful_set["metadata"], stateful_set["spec"]
        if metadata.get("deletionTimestamp"):
            return None
        if metadata.get("annotations", {}).get(LEAVING_ANNOTATION) == str(ordinal):
            return False
        start = spec.get("ordinals", {}).get("start", 0)
        return ordinal < spec.get("replicas", 1) + start
    except (AttributeError, KeyError, TypeError):
        return None
