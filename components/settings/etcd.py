"""The config group `etcd`: version, names, ports, labels and environment of the members. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast, get_args

from components.settings import model, syntax
from components.settings.reader import (
    Problems,
    Section,
    is_label,
    is_object,
    remove_value,
    set_value,
)

VERSIONS: Mapping[tuple[int, int], int] = {(3, 5): 33, (3, 6): 14, (3, 7): 1}
"""Release line -> lowest patch that has the fixes of membership and of security of 2026."""

DEFAULT_VERSION = "3.6.14"

_RESERVED_DOMAINS = ("app.kubernetes.io", "etcd.pulumi.com", "kubernetes.io", "k8s.io")
_RESERVED_LABELS = ("role", "controller-revision-hash", "pod-template-hash")

_OWN_ENV = (
    # Sets or contradicts what the supervisor says by flags; ETCD_CONFIG_FILE would even make
    # etcd ignore them all.
    "ETCD_(NAME|DATA_DIR|WAL_DIR|CONFIG_FILE|LOG_LEVEL|QUOTA_BACKEND_BYTES|SNAPSHOT_COUNT"
    "|FORCE_NEW_CLUSTER.*|INITIAL_.*|LISTEN_.*|ADVERTISE_.*|DISCOVERY.*|PROXY.*|MAX_LEARNERS"
    "|AUTO_COMPACTION_.*|EXPERIMENTAL_MAX_LEARNERS|STRICT_RECONFIG_CHECK|UNSAFE_NO_FSYNC"
    # TLS.
    "|CERT_FILE|KEY_FILE|TRUSTED_CA_FILE|CLIENT_.*|PEER_.*|AUTO_TLS|SELF_SIGNED_CERT_VALIDITY"
    "|TLS_.*|CIPHER_SUITES)"
    # The supervisor's own, and those of the clients and the runtime that it uses.
    "|MEMBER_.*|ETCDCTL_.*|ETCDUTL_.*|KUBERNETES_.*|PYTHON.*|PATH|HOME|LD_.*"
    # Which it takes away: nothing that a member speaks to is behind one.
    "|(?i:(HTTP|HTTPS|ALL|NO)_PROXY)"
)

_ENV_VALUE = syntax.Syntax("a string", "1", lambda text: "\0" not in text)


def read(section: Section) -> model.EtcdSettings:
    ports = {
        key: section.integer(
            key, default, 1024, 65535, unit=" (members do not run as root, ports below are closed)"
        )
        for key, default in (
            ("clientPort", 2379),
            ("peerPort", 2380),
            ("metricsPort", 2381),
            ("healthPort", 2382),
        )
    }
    _different(section.problems, ports)
    return model.EtcdSettings(
        version=_version(section),
        name=section.text("name", "etcd", syntax.CLUSTER_NAME),
        component=section.text("component", "etcd", syntax.COMPONENT),
        client_port=ports["clientPort"],
        peer_port=ports["peerPort"],
        metrics_port=ports["metricsPort"],
        health_port=ports["healthPort"],
        log_level=section.choice("logLevel", "info", get_args(model.LogLevel)),
        labels=section.texts(
            "labels",
            lambda path, name: _is_free_label(section.problems, path, name),
            syntax.LABEL_VALUE,
        ),
        extra_env=_extra_env(section),
    )


def _different(problems: Problems, ports: Mapping[str, int]) -> None:
    if not problems.none_at(*(f"etcd.{key}" for key in ports)):
        return
    seen: dict[int, str] = {}
    for key, port in ports.items():
        if port in seen:
            free = next(p for p in range(2379, 65536) if p not in ports.values())
            problems.add(
                f"etcd.{key}",
                port,
                f"allowed: a port of its own, and etcd.{seen[port]} is {port} too",
                set_value(f"etcd.{key}", str(free)),
            )
        seen.setdefault(port, key)


def _version(section: Section) -> str:
    lowest = ", ".join(
        f"{major}.{minor}.{patch} or later" for (major, minor), patch in VERSIONS.items()
    )
    value = section.value("version")
    if value is None:
        return DEFAULT_VERSION
    written = str(value) if isinstance(value, (str, float)) else ""
    match = re.fullmatch(r"(3)\.([0-9]|[1-9][0-9])\.(0|[1-9][0-9]{0,3})", written)
    if isinstance(value, str) and match is not None:
        patch = VERSIONS.get((int(match[1]), int(match[2])))
        if patch is not None and int(match[3]) >= patch:
            return value
    problem = f"allowed: {lowest}"
    if not isinstance(value, str):
        problem += ", as a string: quote it in YAML"
    # A user who names a known line stays on it.
    line = re.match(r"v?3\.([567])(?![0-9])", written)
    minor = int(line[1]) if line else 6
    section.problems.add(
        "etcd.version",
        value,
        problem,
        set_value("etcd.version", f"3.{minor}.{VERSIONS[(3, minor)]}"),
    )
    return DEFAULT_VERSION


def _is_free_label(problems: Problems, path: str, name: str) -> bool:
    if not is_label(problems, path, name):
        return False
    prefix = name.rpartition("/")[0]
    reserved = any(prefix == d or prefix.endswith(f".{d}") for d in _RESERVED_DOMAINS)
    if reserved or name in _RESERVED_LABELS:
        problems.say(
            path,
            "is set by this program or by Kubernetes; allowed: labels outside "
            f"{'/, '.join(_RESERVED_DOMAINS)}/ other than {', '.join(_RESERVED_LABELS)}",
            remove_value(path),
        )
        return False
    return True


def _extra_env(section: Section) -> tuple[model.EnvVar, ...]:
    result: list[model.EnvVar] = []
    for path, entry in section.items("extraEnv", "{name: NAME, value: TEXT}"):
        if not is_object(section.problems, path, entry, ("name", "value"), required=True):
            continue
        fields = cast("Mapping[str, object]", entry)
        name = section.check_text(f"{path}.name", fields["name"], syntax.ENV_NAME)
        value = section.check_text(f"{path}.value", fields["value"], _ENV_VALUE)
        if name is None or value is None:
            continue
        if re.fullmatch(_OWN_ENV, name):
            section.problems.add(
                f"{path}.name",
                name,
                "allowed: variables that neither the program nor its image sets (it sets those of "
                "name, data, addresses, discovery, TLS and learners, and takes proxies away)",
                remove_value(path),
            )
        elif any(known.name == name for known in result):
            section.problems.add(
                f"{path}.name", name, "allowed: each name once", remove_value(path)
            )
        else:
            result.append(model.EnvVar(name, value))
    return tuple(result)
