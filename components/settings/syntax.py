"""How single values are written: names, references, quantities, addresses. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from components.settings.quantity import milli_cores, size_bytes


@dataclass(frozen=True)
class Syntax:
    """One way of writing a string."""

    allowed: str
    """Completes "allowed: "."""
    example: str
    """A valid value."""
    matches: Callable[[str], bool]


def _pattern(expression: str, longest: int = 253) -> Callable[[str], bool]:
    # Not compiled before it is asked for: most stacks set few keys, and every `up` pays for all.
    return lambda text: len(text) <= longest and re.fullmatch(expression, text) is not None


_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_HOST = rf"(?:localhost(?::[0-9]+)?|{_LABEL}(?::[0-9]+)|{_LABEL}(?:\.{_LABEL})+(?::[0-9]+)?)"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = rf"{_PART}(?:/{_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_QUALIFIED = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_REGION = r"[a-z]+-[a-z]+[0-9]{1,2}"
_matches_domain = _pattern(_DOMAIN)
_matches_machine = _pattern(r"[a-z][a-z0-9]{1,3}(?:-[a-z0-9]+)+", 63)
_matches_qualified = _pattern(_QUALIFIED)


def _is_label_key(text: str) -> bool:
    prefix, slash, name = text.rpartition("/")
    return _matches_qualified(name) and (not slash or _matches_domain(prefix))


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return "/" in text


ANY_TEXT = Syntax("a string that is not empty", "value", lambda text: text.strip() != "")
CONTEXT_FOLDER = Syntax(
    "a folder with a Dockerfile, relative to the project",
    "containers/etcd",
    lambda text: text.strip() != "",
)
IMAGE = Syntax(
    "an image reference: [host[:port]/]path[:tag][@sha256:...], in lower case, without a scheme",
    "gcr.io/etcd-development/etcd",
    _pattern(rf"(?:{_HOST}/)?{_PATH}(?::{_TAG})?(?:@{_DIGEST})?", 500),
)
REGISTRY = Syntax(
    "host[:port][/path] of a registry, in lower case, without a scheme or a slash at the end",
    "localhost:5000",
    _pattern(rf"{_HOST}(?:/{_PATH})?"),
)
REPOSITORY = Syntax(
    "a path in the registry, in lower case, without tag or digest", "etcd", _pattern(_PATH)
)
TAG = Syntax("an image tag: up to 128 letters, digits, '_', '.' and '-'", "v3.6.14", _pattern(_TAG))
DIGEST = Syntax(
    "sha256: and 64 hexadecimal digits, in lower case", f"sha256:{'0' * 64}", _pattern(_DIGEST)
)
DNS_LABEL = Syntax(
    "a DNS label: up to 63 lower case letters, digits and '-'", "etcd", _pattern(_LABEL, 63)
)
SERVICE_NAME = Syntax(
    "a name of up to 63 lower case letters, digits and '-' that begins with a letter",
    "etcd",
    _pattern(r"[a-z](?:[-a-z0-9]*[a-z0-9])?", 63),
)
CLUSTER_NAME = Syntax(
    # Suffixes are appended, and a StatefulSet with a name above 52 characters makes no pods
    # (https://github.com/kubernetes/kubernetes/issues/64023).
    "a name of up to 40 lower case letters, digits and '-' that begins with a letter",
    "etcd",
    _pattern(r"[a-z](?:[-a-z0-9]*[a-z0-9])?", 40),
)
DOMAIN = Syntax(
    "a DNS name in lower case, without a dot at its ends", "cluster.local", _matches_domain
)
STORAGE_CLASS = Syntax("the name of a StorageClass, or null", "standard", _matches_domain)
SECRET = Syntax("the name of a Secret", "registry-login", _matches_domain)
LABEL_KEY = Syntax(
    "a label key: [DNS name/]name, the name of up to 63 letters, digits, '-', '_' and '.'",
    "team",
    _is_label_key,
)
LABEL_VALUE = Syntax(
    "a label value: up to 63 letters, digits, '-', '_' and '.', or empty",
    "storage",
    lambda text: text == "" or _matches_qualified(text),
)
COMPONENT = Syntax(
    "a label value: 1 to 63 letters, digits, '-', '_' and '.'", "etcd", _matches_qualified
)
ENV_NAME = Syntax(
    "the name of an environment variable: letters, digits and '_', no digit first",
    "GOMAXPROCS",
    _pattern(r"[A-Za-z_][A-Za-z0-9_]*"),
)
CIDR = Syntax(
    "an IP range in CIDR form, whose address has no bits behind its prefix",
    "10.0.0.0/8",
    _is_cidr,
)
AUTHORIZED_CIDR = Syntax(
    "an IPv4 range in CIDR form, whose address has no bits behind its prefix, and not 0.0.0.0/0, "
    "which would be everybody",
    "203.0.113.0/24",
    lambda text: _is_cidr(text) and ":" not in text and not text.endswith("/0"),
)
PROJECT = Syntax(
    "the ID of a Google Cloud project: 6 to 30 lower case letters, digits and '-', a letter first",
    "my-project",
    _pattern(r"[a-z][-a-z0-9]{4,28}[a-z0-9]"),
)
REGION = Syntax("a region of Google Cloud", "us-central1", _pattern(_REGION))
ZONE = Syntax("a zone of Google Cloud, or null", "us-central1-f", _pattern(rf"{_REGION}-[a-z]"))
GKE_NAME = Syntax(
    "a name of up to 40 lower case letters, digits and '-' that begins with a letter and does not "
    "end in '-'",
    "etcd",
    _pattern(r"[a-z](?:[-a-z0-9]*[a-z0-9])?", 40),
)
MACHINE_TYPE = Syntax(
    "a machine type of Compute Engine with two cores of its own or more",
    "e2-standard-2",
    lambda text: _matches_machine(text) and not text.endswith(("-micro", "-small", "-medium")),
)
KMS_KEY = Syntax(
    "projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY, or null",
    "projects/my-project/locations/us-central1/keyRings/etcd/cryptoKeys/etcd",
    _pattern(
        r"projects/[-a-z0-9:.]+/locations/[-a-z0-9]+/keyRings/[-\w]{1,63}/cryptoKeys/[-\w]{1,63}",
        500,
    ),
)
GOOGLE_LABEL_KEY = Syntax(
    "a label key of Google's: up to 63 lower case letters, digits, '-' and '_', a letter first",
    "team",
    _pattern(r"[a-z][-_a-z0-9]*", 63),
)
GOOGLE_LABEL = Syntax(
    "a label value of Google's: up to 63 lower case letters, digits, '-' and '_', or empty",
    "storage",
    _pattern(r"[-_a-z0-9]*", 63),
)
TIME = Syntax("a time of day as HH:MM, UTC", "03:00", _pattern(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"))


def _is_cpu(text: str) -> bool:
    try:
        milli_cores(text)
    except ValueError:
        return False
    return True


CPU = Syntax(
    "CPU cores as a quantity of at least 1m: 500m, 2, 0.5 (whole thousandths)",
    "500m",
    _is_cpu,
)


def size(least: str) -> Syntax:
    """A number of bytes as Kubernetes writes it, at least `least`."""
    return Syntax(
        f"bytes as a quantity of at least {least}: 1536Mi, 20Gi, 1.5G",
        "1Gi",
        lambda text: _is_size(text) and size_bytes(text) >= size_bytes(least),
    )


def http_address_problem(text: str) -> str | None:
    """Return what is wrong with an http(s) URL, or None. A path is allowed."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "it is no URL"
    if parts.scheme not in ("http", "https"):
        return "it does not begin with http:// or https://"
    if any(c.isspace() or not c.isprintable() for c in text):
        return "it has blanks in it"
    if parts.username is not None or parts.password is not None:
        return "it has a user or a password in it, which would be stored in clear"
    if not parts.hostname or port == 0:
        return "it has no host" if not parts.hostname else "its port is 0"
    if "?" in text or "#" in text:
        return "it has a query or a fragment; the program adds what is needed"
    return None


def _is_size(text: str) -> bool:
    try:
        size_bytes(text)
    except ValueError:
        return False
    return True
