"""The config groups but `etcd` and `gke`: keys, defaults, and the rules inside one group. Pure.

The descriptions in Pulumi.yaml say the same to the users; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

from components.progress import MOST_SECONDS
from components.settings import model, syntax
from components.settings.reader import Section, is_label, is_object, remove_value, set_value

MOST_VOTERS = 7
"""etcd: more voters cost writes and add nothing (etcd.io/docs, faq)."""

_TOLERATION = ("key", "operator", "value", "effect", "tolerationSeconds")
_TOLERATION_EXAMPLE = "{key: KEY, operator: Exists, effect: NoSchedule}"
_AFFINITY = ("nodeAffinity", "podAffinity", "podAntiAffinity")


def image(section: Section, *, own_registry: bool) -> model.ImageSettings:
    """`own_registry`: one is made where none is named."""
    build = section.boolean("build", True)
    result = model.ImageSettings(
        build=build,
        context=section.text("context", "containers/etcd", syntax.CONTEXT_FOLDER),
        etcd_base=section.text("etcdBase", "gcr.io/etcd-development/etcd", syntax.IMAGE),
        python_base=section.text(
            "pythonBase", "gcr.io/distroless/python3-debian12:nonroot", syntax.IMAGE
        ),
        registry=section.optional_text("registry", syntax.REGISTRY)
        if own_registry
        else section.required_text(
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
        pull_secrets=_pull_secrets(section),
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


def _pull_secrets(section: Section) -> tuple[str, ...]:
    found: list[str] = []
    for path, entry in section.items("pullSecrets", syntax.SECRET.example):
        name = section.check_text(path, "" if entry is None else entry, syntax.SECRET)
        if name in found:
            section.problems.add(path, name, "allowed: each Secret once", remove_value(path))
        elif name is not None:
            found.append(name)
    return tuple(found)


def kubernetes(section: Section, *, own_cluster: bool) -> model.KubernetesSettings:
    """`own_cluster`: one is made, so that no context need be named."""
    return model.KubernetesSettings(
        kubeconfig=section.optional_text("kubeconfig", syntax.ANY_TEXT),
        context=section.optional_text("context", syntax.ANY_TEXT)
        if own_cluster
        else section.required_text(
            "context",
            syntax.ANY_TEXT,
            "allowed: the name of a context in the kubeconfig. The current context is never taken "
            "by itself. kubectl config get-contexts lists them; the lab's is etcd-lab. Or let the "
            "program make a cluster: gke.create true",
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
    next_step = set_value("discovery.url", example) if example else remove_value("discovery.url")
    if result.url is None:
        if result.mode != "inCluster":
            why = f"discovery.mode is {result.mode}, which needs {allowed}"
            section.problems.say("discovery.url", f"is not set; {why}", next_step)
        return result
    wrong = _wrong_with_url(result.mode, result.url)
    if wrong is not None:
        section.problems.add("discovery.url", result.url, f"{wrong}; allowed: {allowed}", next_step)
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
        memory=section.text("memory", "512Mi", syntax.size("128Mi")),
    )


def units(section: Section) -> model.UnitsSettings:
    problems = section.problems
    count = section.odd("count", 3, MOST_VOTERS)
    # A single member has no other to serve while it restarts.
    least = 0 if count > 1 else -1
    result = model.UnitsSettings(
        count=count,
        min_tolerance=section.integer(
            "minTolerance", least, -1, (count - 1) // 2, unit=f" with units.count {count}"
        ),
        cpu=section.text("cpu", "500m", syntax.CPU),
        memory=section.text("memory", "1Gi", syntax.size("128Mi")),
        node_selector=section.texts(
            "nodeSelector", lambda path, name: is_label(problems, path, name), syntax.LABEL_VALUE
        ),
        tolerations=tuple(
            cast("Mapping[str, object]", entry)
            for path, entry in section.items("tolerations", _TOLERATION_EXAMPLE)
            if is_object(problems, path, entry, _TOLERATION)
        ),
        affinity=section.mapping("affinity"),
    )
    # What is inside is Kubernetes' own, and the API server judges it at preview.
    is_object(problems, "units.affinity", result.affinity, _AFFINITY)
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
    return model.StorageSettings(
        kind=section.choice("kind", "persistent", get_args(model.StorageKind)),
        size=section.text("size", "20Gi", syntax.size("1Gi")),
        class_name=section.optional_text("className", syntax.STORAGE_CLASS),
        retain=section.boolean("retain", True),
    )


def handover(section: Section) -> model.HandoverSettings:
    return model.HandoverSettings(
        timeout_seconds=section.integer("timeoutSeconds", 600, 30, MOST_SECONDS, unit=" (seconds)")
    )
