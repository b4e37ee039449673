"""The config groups: keys, defaults, and the rules inside one group. Pure.

The descriptions in Pulumi.yaml say the same to the users; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast, get_args

from components.settings import model, syntax
from components.settings.reader import (
    Problems,
    Section,
    child,
    closest,
    remove_value,
    set_value,
)

MOST_VOTERS = 7
"""etcd: more voters cost writes and add nothing (etcd.io/docs, faq)."""

VERSIONS: Mapping[tuple[int, int], int] = {(3, 5): 33, (3, 6): 14, (3, 7): 1}
"""Release line -> lowest patch that has the fixes of membership and of security of 2026."""

DEFAULT_VERSION = "3.6.14"

_RESERVED_DOMAINS = ("app.kubernetes.io", "etcd.pulumi.com", "kubernetes.io", "k8s.io")
_RESERVED_LABELS = ("role", "controller-revision-hash", "pod-template-hash")

_OWN_ENV = re.compile(
    # Sets or contradicts what the supervisor says by flags; ETCD_CONFIG_FILE would even make
    # etcd ignore them all.
    "ETCD_(NAME|DATA_DIR|WAL_DIR|CONFIG_FILE|LOG_LEVEL|QUOTA_BACKEND_BYTES|FORCE_NEW_CLUSTER.*"
    "|INITIAL_.*|LISTEN_.*|ADVERTISE_.*|DISCOVERY.*|PROXY.*|MAX_LEARNERS|AUTO_COMPACTION_.*"
    "|EXPERIMENTAL_MAX_LEARNERS|STRICT_RECONFIG_CHECK|UNSAFE_NO_FSYNC"
    # TLS.
    "|CERT_FILE|KEY_FILE|TRUSTED_CA_FILE|CLIENT_.*|PEER_.*|AUTO_TLS|SELF_SIGNED_CERT_VALIDITY"
    "|TLS_.*|CIPHER_SUITES)"
    # The supervisor's own, and those of the clients and the runtime that it uses.
    "|MEMBER_.*|ETCDCTL_.*|ETCDUTL_.*|KUBERNETES_.*|PYTHON.*|PATH|HOME|LD_.*"
)

_TOLERATION = ("key", "operator", "value", "effect", "tolerationSeconds")
_TOLERATION_EXAMPLE = "{key: KEY, operator: Exists, effect: NoSchedule}"
_AFFINITY = ("nodeAffinity", "podAffinity", "podAntiAffinity")


def image(section: Section) -> model.ImageSettings:
    build = section.boolean("build", True)
    result = model.ImageSettings(
        build=build,
        context=section.text("context", "containers/etcd", syntax.CONTEXT_FOLDER),
        etcd_base=section.text("etcdBase", "gcr.io/etcd-development/etcd", syntax.IMAGE),
        python_base=section.text(
            "pythonBase", "gcr.io/distroless/python3-debian12:nonroot", syntax.IMAGE
        ),
        registry=section.required_text(
            "registry",
            syntax.REGISTRY,
            "allowed: host[:port][/path] of the registry that the image is pushed to and that "
            "pods pull from",
            set_value("image.registry", "localhost:5000"),
        ),
        repository=section.text("repository", "etcd", syntax.REPOSITORY),
        tag=section.optional_text("tag", syntax.TAG),
        digest=section.optional_text("digest", syntax.DIGEST),
        pull_policy=section.choice("pullPolicy", "IfNotPresent", get_args(model.PullPolicy)),
        platform=section.choice("platform", "linux/amd64", get_args(model.Platform)),
    )
    if not section.problems.none_at("image.build", "image.digest"):
        return result
    if not build and result.digest is None:
        section.problems.say(
            "image.digest",
            f"is not set; image.build is false, which needs {syntax.DIGEST.allowed}",
            "pulumi config set --path etcd:image.digest sha256:... "
            "(crane digest REGISTRY/REPOSITORY:TAG prints it)",
        )
    if build and result.digest is not None:
        section.problems.add(
            "image.digest",
            result.digest,
            "allowed: null while image.build is true, since what is built has its own digest",
            set_value("image.build", "false"),
        )
    return result


def kubernetes(section: Section) -> model.KubernetesSettings:
    return model.KubernetesSettings(
        kubeconfig=section.optional_text("kubeconfig", syntax.ANY_TEXT),
        context=section.required_text(
            "context",
            syntax.ANY_TEXT,
            "allowed: the name of a context in the kubeconfig. The current context is never taken "
            "by itself. kubectl config get-contexts lists them; the lab's is etcd-lab",
            set_value("kubernetes.context", "NAME"),
        ),
        namespace=_namespace(section),
        cluster_domain=section.text("clusterDomain", "cluster.local", syntax.DOMAIN),
    )


def _namespace(section: Section) -> str:
    name = section.text("namespace", "etcd", syntax.DNS_LABEL)
    if name.startswith("kube-"):
        section.problems.add(
            "kubernetes.namespace",
            name,
            "allowed: a namespace of its own; kube- is Kubernetes' prefix",
            set_value("kubernetes.namespace", "etcd"),
        )
    return name


def etcd(section: Section) -> model.EtcdSettings:
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


def _is_label(problems: Problems, path: str, name: str) -> bool:
    if syntax.LABEL_KEY.matches(name):
        return True
    problems.say(path, f"is no label; allowed: {syntax.LABEL_KEY.allowed}", remove_value(path))
    return False


def _is_free_label(problems: Problems, path: str, name: str) -> bool:
    if not _is_label(problems, path, name):
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
        if not _is_object(section.problems, path, entry, ("name", "value"), required=True):
            continue
        fields = cast("Mapping[str, object]", entry)
        name = section.check_text(f"{path}.name", fields["name"], syntax.ENV_NAME)
        value = section.check_text(f"{path}.value", fields["value"], _ENV_VALUE)
        if name is None or value is None:
            continue
        if _OWN_ENV.fullmatch(name):
            section.problems.add(
                f"{path}.name",
                name,
                "allowed: variables that neither the program nor its image sets (it sets those of "
                "name, data, addresses, discovery, TLS and learners)",
                remove_value(path),
            )
        elif any(known.name == name for known in result):
            section.problems.add(
                f"{path}.name", name, "allowed: each name once", remove_value(path)
            )
        else:
            result.append(model.EnvVar(name, value))
    return tuple(result)


_ENV_VALUE = syntax.Syntax("a string", "1", lambda text: "\0" not in text)


def _is_object(
    problems: Problems,
    path: str,
    entry: object,
    keys: tuple[str, ...],
    *,
    required: bool = False,
) -> bool:
    """Report an entry that is no object, or has keys beside `keys`, or lacks one of them."""
    shape = f"allowed: an object of {', '.join(keys)}"
    if not isinstance(entry, Mapping):
        problems.add(path, entry, shape, remove_value(path))
        return False
    fields = cast("Mapping[object, object]", entry)
    unknown = [str(name) for name in fields if name not in keys]
    missing = [name for name in keys if required and fields.get(name) is None]
    for name in unknown:
        meant = closest(name, keys)
        problems.say(
            child(path, name),
            f"is not a key of this entry; {shape}",
            f"write {meant} instead of {name}" if meant else remove_value(child(path, name)),
        )
    for name in missing:
        problems.say(f"{path}.{name}", f"is not set; {shape}", set_value(f"{path}.{name}", "..."))
    return not unknown and not missing


def discovery(section: Section) -> model.DiscoverySettings:
    result = model.DiscoverySettings(
        mode=section.choice("mode", "inCluster", get_args(model.DiscoveryMode)),
        url=section.optional_text("url", syntax.ANY_TEXT),
    )
    if not section.problems.none_at("discovery.mode", "discovery.url"):
        return result
    allowed, example = {
        "inCluster": ("null with discovery.mode inCluster, which brings its own service", ""),
        "v2": (
            "the http(s) address that hands out discovery tokens, ending in /new",
            "https://discovery.example.com/new",
        ),
        "v3": (
            "http(s) client URLs of an etcd, separated by commas",
            "http://discovery.example.com:2379",
        ),
    }[result.mode]
    then = set_value("discovery.url", example) if example else remove_value("discovery.url")
    if result.url is None:
        if result.mode != "inCluster":
            why = f"discovery.mode is {result.mode}, which needs {allowed}"
            section.problems.say("discovery.url", f"is not set; {why}", then)
        return result
    wrong = _wrong_with_url(result.mode, result.url)
    if wrong is not None:
        section.problems.add("discovery.url", result.url, f"{wrong}; allowed: {allowed}", then)
    return result


def _wrong_with_url(mode: model.DiscoveryMode, url: str) -> str | None:
    if mode == "inCluster":
        return "it would not be used"
    for part in url.split(",") if mode == "v3" else [url]:
        wrong = syntax.http_address_problem(part)
        if wrong is not None:
            return wrong
        path = part.partition("://")[2].partition("/")[2]
        if mode == "v3" and path:
            return "it has a path"
        if mode == "v2" and path.rpartition("/")[2] != "new":
            return "it does not end in /new"
    return None


def seeds(section: Section) -> model.SeedsSettings:
    return model.SeedsSettings(
        count=section.odd("count", 3, MOST_VOTERS),
        cpu=section.text("cpu", "100m", syntax.CPU),
        memory=section.text("memory", "512Mi", syntax.size("64Mi")),
    )


def units(section: Section) -> model.UnitsSettings:
    problems = section.problems
    result = model.UnitsSettings(
        count=section.odd("count", 3, MOST_VOTERS),
        cpu=section.text("cpu", "500m", syntax.CPU),
        memory=section.text("memory", "1Gi", syntax.size("64Mi")),
        node_selector=section.texts(
            "nodeSelector", lambda path, name: _is_label(problems, path, name), syntax.LABEL_VALUE
        ),
        tolerations=tuple(
            cast("Mapping[str, object]", entry)
            for path, entry in section.items("tolerations", _TOLERATION_EXAMPLE)
            if _is_object(problems, path, entry, _TOLERATION)
        ),
        affinity=section.mapping("affinity"),
    )
    # What is inside is Kubernetes' own, and the API server judges it at preview.
    _is_object(problems, "units.affinity", result.affinity, _AFFINITY)
    return result


def service(section: Section) -> model.ServiceSettings:
    problems = section.problems
    ranges = [
        section.check_text(path, "" if entry is None else entry, syntax.CIDR)
        for path, entry in section.items("sourceRanges", "10.0.0.0/8")
    ]
    result = model.ServiceSettings(
        name=section.text("name", "etcd", syntax.SERVICE_NAME),
        type=section.choice("type", "ClusterIP", get_args(model.ServiceType)),
        internal=section.boolean("internal", True),
        source_ranges=tuple(text for text in ranges if text is not None),
    )
    if not problems.none_at("service.type", "service.internal"):
        return result
    if result.type == "LoadBalancer" and not result.internal:
        problems.add(
            "service.internal",
            False,
            "allowed: true with service.type LoadBalancer; a public address needs client "
            "certificates, which are not available yet",
            set_value("service.internal", "true"),
        )
    if result.source_ranges and result.type != "LoadBalancer":
        problems.add(
            "service.sourceRanges",
            list(result.source_ranges),
            f"allowed: [] with service.type {result.type}, which does not look at them",
            remove_value("service.sourceRanges"),
        )
    return result


def storage(section: Section) -> model.StorageSettings:
    class_name = section.value("className")
    if class_name in ("", "-"):
        # What Helm charts write for "no class of my own".
        class_name = None
    return model.StorageSettings(
        kind=section.choice("kind", "persistent", get_args(model.StorageKind)),
        size=section.text("size", "20Gi", syntax.size("512Mi")),
        class_name=section.check_text("storage.className", class_name, syntax.STORAGE_CLASS),
        retain=section.boolean("retain", True),
    )


def handover(section: Section) -> model.HandoverSettings:
    return model.HandoverSettings(
        timeout_seconds=section.integer("timeoutSeconds", 600, 30, 7200, unit=" (seconds)")
    )
