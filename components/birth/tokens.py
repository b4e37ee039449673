"""Where a bootstrap token comes from, for each discovery mode."""

from __future__ import annotations

import http.client
import json
import re
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass

from components.progress import SequenceError
from containers.etcd.supervisor import discovery_keys

FETCH_SECONDS = 10.0

_V2_URL = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?/[0-9a-f]{32}")

USE_OWN = "pulumi config set --path etcd:discovery.mode inCluster"


@dataclass(frozen=True)
class Token:
    """What a set of seeds needs to find each other, once."""

    protocol: str
    """`v2` or `v3`."""
    value: str
    """v3: the token. v2: the whole URL. Secret: whoever holds it can enter the bootstrap."""
    endpoint: str
    """v3: client URL of the discovery service. v2: empty."""

    @property
    def secret(self) -> dict[str, str]:
        """What the Secret of the bootstrap holds for the seeds, which read it when they start."""
        return {"protocol": self.protocol, "token": self.value, "endpoint": self.endpoint}

    @property
    def prefix(self) -> str:
        """v3: what all keys of the token begin with."""
        return discovery_keys.prefix(self.value)

    @property
    def size_key(self) -> str:
        """v3: the key that says how many seeds there will be."""
        return discovery_keys.size_key(self.value)


def fresh(mode: str, url: str, size: int, own_service: str) -> Token:
    """Make or fetch a token that nobody has used.

    `mode`: inCluster, v2 or v3. `url`: the configured endpoint (v2, v3). `own_service`: client
    URL of the discovery service in the namespace. Raises SequenceError where v2's endpoint does
    not hand out a URL.
    """
    if mode == "v2":
        return Token("v2", fetch_v2(url, size), "")
    return Token("v3", secrets.token_hex(16), own_service if mode == "inCluster" else url)


def fetch_v2(url: str, size: int) -> str:
    """Fetch a discovery URL for `size` seeds, as S1 does, and judge what comes back.

    Raises SequenceError for an endpoint that does not answer, answers with an error, or answers
    with something that is no discovery URL (an error page is none).
    """
    address = f"{url}?size={size}"
    try:
        with urllib.request.urlopen(address, timeout=FETCH_SECONDS) as answer:
            text = answer.read(10_000).decode(errors="replace").strip()
    except urllib.error.HTTPError as error:
        reason = " ".join(error.reason.split())  # urllib writes of a circle on several lines
        raise SequenceError(
            f"the discovery endpoint {address} answered {error.code} {reason}", USE_OWN
        ) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise SequenceError(
            f"the discovery endpoint {address} does not answer: {reason}", USE_OWN
        ) from None
    if not _V2_URL.fullmatch(text):
        shown = " ".join(text[:80].split()) or "nothing"
        raise SequenceError(
            f"the discovery endpoint {address} answered with {shown!r}, "
            "which is no discovery URL (expected: http(s)://HOST/<32 hex digits>)",
            USE_OWN,
        )
    return text


def require_v3(url: str) -> None:
    """Ask every one of the endpoints, separated by commas, whether it is an etcd.

    Raises SequenceError for one that answers and is none. Silence proves nothing: the seeds will
    ask from inside Kubernetes, where more is reached, and perhaps with other certificates.
    """
    for endpoint in url.split(","):
        address = f"{endpoint.strip().rstrip('/')}/version"
        try:
            with urllib.request.urlopen(address, timeout=FETCH_SECONDS) as answer:
                text = answer.read(10_000).decode(errors="replace").strip()
        except urllib.error.HTTPError as error:
            text = f"{error.code} {' '.join(error.reason.split())}"
        except (OSError, http.client.HTTPException):
            continue
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        if not isinstance(told, dict) or "etcdserver" not in told:
            shown = " ".join(text[:80].split()) or "nothing"
            raise SequenceError(
                f"the discovery endpoint {endpoint} is no etcd: {address} answered with {shown!r}",
                USE_OWN,
            )
