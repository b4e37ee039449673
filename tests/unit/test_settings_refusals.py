"""Every bad value is one problem, which names the key, the value, what is allowed and a way out."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from components import names
from tests.support.stack_config import DIGEST, GOOD, problems, with_value, with_values

BAD = [
    # id, path, value, what the message must say as allowed
    ("an even number of units", "units.count", 4, "odd integer from 1 to 7"),
    ("no seed", "seeds.count", 0, "odd integer from 1 to 7"),
    ("a negative number of seeds", "seeds.count", -3, "odd integer from 1 to 7"),
    ("nine units", "units.count", 9, "odd integer from 1 to 7"),
    ("more tolerance than three units have", "units.minTolerance", 2, "integer from -1 to 1"),
    ("a number in quotes", "units.count", "3", "without quotes"),
    ("a number of units that is true", "units.count", True, "odd integer"),
    ("a number of units that is a float", "units.count", 3.0, "odd integer"),
    ("fewer units than seeds", "units.count", 1, "seeds.count (3) or more"),
    ("a version that YAML takes for a number", "etcd.version", 3.6, "quote it"),
    ("a version with a v", "etcd.version", "v3.6.14", "3.6.14 or later"),
    ("a version without a patch", "etcd.version", "3.6", "3.6.14 or later"),
    ("a patch with known bugs", "etcd.version", "3.6.13", "3.6.14 or later"),
    ("a 3.5 with known bugs", "etcd.version", "3.5.32", "3.5.33 or later"),
    ("a version past its end of life", "etcd.version", "3.4.40", "3.5.33 or later"),
    ("a version that is not known yet", "etcd.version", "3.8.0", "3.7.1 or later"),
    ("a release candidate", "etcd.version", "3.7.1-rc.0", "3.7.1 or later"),
    ("a version in other digits", "etcd.version", "3.6.1\u0664", "3.6.14 or later"),
    ("a version and a line end", "etcd.version", "3.6.14\n", "3.6.14 or later"),
    ("a name of 41 characters", "etcd.name", "e" * 41, "up to 40"),
    ("a name in capitals", "etcd.name", "Etcd", "lower case"),
    ("a name that begins with a digit", "etcd.name", "3etcd", "begins with a letter"),
    ("a name that ends in a dash", "etcd.name", "etcd-", "lower case"),
    ("an empty component", "etcd.component", "", "label value"),
    ("a privileged port", "etcd.clientPort", 443, "1024 to 65535"),
    ("a port too high", "etcd.peerPort", 70000, "1024 to 65535"),
    ("two equal ports", "etcd.metricsPort", 2379, "etcd.clientPort is 2379 too"),
    ("the probes' port taken", "etcd.healthPort", 2381, "etcd.metricsPort is 2381 too"),
    ("an unknown log level", "etcd.logLevel", "verbose", "debug, info, warn"),
    ("labels as a list", "etcd.labels", ["a"], "object"),
    ("an own variable's list as a text", "etcd.extraEnv", "A=b", "list"),
    ("an unknown discovery mode", "discovery.mode", "v4", "inCluster, v3, v2"),
    ("a discovery address that is not used", "discovery.url", "http://a:2379", "null"),
    ("CPU as a number", "units.cpu", 1, "quote it"),
    ("no CPU at all", "units.cpu", "0", "at least 1m"),
    ("CPU finer than Kubernetes counts", "seeds.cpu", "0.5m", "whole thousandths"),
    ("memory in thousandths", "units.memory", "512m", "at least 128Mi"),
    ("memory of a few bytes", "seeds.memory", "512", "at least 128Mi"),
    ("memory in an unknown unit", "seeds.memory", "1GB", "at least 128Mi"),
    ("a node selector with a number", "units.nodeSelector", "disk=ssd", "object"),
    ("tolerations as an object", "units.tolerations", {"key": "a"}, "list"),
    ("affinity as a text", "units.affinity", "zone", "object"),
    ("a volume of nothing", "storage.size", "0Gi", "at least 1Gi"),
    ("a volume of less than nothing", "storage.size", "-1Gi", "at least 1Gi"),
    ("a size that is a number", "storage.size", 20, "quote it"),
    ("an unknown kind of storage", "storage.kind", "tmpfs", "persistent, ephemeral, memory"),
    # In charts and in Kubernetes: no class at all, so that nobody makes a volume.
    ("no storage class at all", "storage.className", "", "StorageClass, or null"),
    ("the same as some charts write it", "storage.className", "-", "StorageClass, or null"),
    ("a storage class in capitals", "storage.className", "Fast_Disk", "StorageClass"),
    ("a truth in quotes", "storage.retain", "yes", "true or false"),
    ("a service name that is the peers'", "service.name", "etcd-peer", "belong to other"),
    ("a service name that is the discovery's", "service.name", "etcd-discovery", "belong to other"),
    ("an unknown service type", "service.type", "Loadbalancer", "LoadBalancer"),
    ("ranges that nothing looks at", "service.sourceRanges", ["10.0.0.0/8"], "ClusterIP"),
    ("ranges as a text", "service.sourceRanges", "10.0.0.0/8", "list"),
    ("a deadline of nothing", "handover.timeoutSeconds", 0, "30 to 7200"),
    ("a deadline of a day", "handover.timeoutSeconds", 86400, "30 to 7200"),
    ("a registry with a scheme", "image.registry", "https://r.example.com", "without a scheme"),
    ("a registry without a host", "image.registry", "team", "host[:port]"),
    ("a registry with a slash at its end", "image.registry", "localhost:5000/", "slash"),
    ("a repository with a tag", "image.repository", "etcd:v1", "without tag"),
    ("a base image with a blank", "image.etcdBase", "quay.io/coreos/etcd v3", "image reference"),
    ("a base image with a scheme", "image.pythonBase", "docker://python", "image reference"),
    ("a tag with a slash", "image.tag", "v1/2", "image tag"),
    ("a digest of the wrong length", "image.digest", "sha256:abc", "64 hexadecimal"),
    ("a digest beside a build", "image.digest", DIGEST, "null while image.build is true"),
    ("an empty build context", "image.context", " ", "folder"),
    ("an unknown pull policy", "image.pullPolicy", "always-ish", "IfNotPresent, Always, Never"),
    ("a pull secret as a text", "image.pullSecrets", "login", "list"),
    ("an unknown platform", "image.platform", "windows/amd64", "linux/amd64, linux/arm64"),
    ("a namespace in capitals", "kubernetes.namespace", "Etcd", "DNS label"),
    ("Kubernetes' own namespace", "kubernetes.namespace", "kube-system", "of its own"),
    ("a cluster domain with a dot at its end", "kubernetes.clusterDomain", "a.b.", "DNS name"),
    ("an empty context", "kubernetes.context", "", "not empty"),
    ("a context that is a number", "kubernetes.context", 7, "quote it"),
    ("a group that is a number", "seeds", 5, "object"),
    ("a group that is a text", "units", "three", "object"),
    ("a group that is a list", "storage", [], "object"),
]


@pytest.mark.parametrize(
    ("path", "value", "allowed"),
    [pytest.param(path, value, allowed, id=name) for name, path, value, allowed in BAD],
)
def test_one_bad_value_is_one_problem_with_key_value_allowed_values_and_way_out(
    path: str, value: object, allowed: str
) -> None:
    (text,) = problems(with_value(path, value))
    first, last = text.split("\n")
    assert first.startswith(f"etcd:{path} ")
    assert allowed in first
    told = json.dumps(value)[:40]
    assert told in first
    assert re.match(r"  Next: (pulumi config (set|rm) |write )", last)


TOGETHER: list[tuple[str, dict[str, object], str, str]] = [
    (
        "a public load balancer",
        {"service.type": "LoadBalancer", "service.internal": False},
        "service.internal",
        "client certificates",
    ),
    (
        "v2 discovery with etcd 3.7",
        {
            "etcd.version": "3.7.1",
            "discovery.mode": "v2",
            "discovery.url": "https://discovery.example.com/new",
        },
        "discovery.mode",
        "etcd 3.7 has no v2 discovery",
    ),
    (
        "less memory than etcd's log takes there",
        {"storage.kind": "memory", "units.memory": "256Mi"},
        "units.memory",
        "768Mi or more with storage.kind memory",
    ),
    ("seeds of 3.5 by default", {"etcd.version": "3.5.33"}, "discovery.mode", "allowed: v2 with"),
    ("v2 without an address", {"discovery.mode": "v2"}, "discovery.url", "ending in /new"),
    ("v3 without an address", {"discovery.mode": "v3"}, "discovery.url", "client URLs"),
    ("a prebuilt image without a digest", {"image.build": False}, "image.digest", "is not set"),
    *(
        (f"v2 discovery at {why}", {"discovery.mode": "v2", "discovery.url": url}, *expected)
        for why, url, expected in (
            ("no /new", "https://a.example.com", ("discovery.url", "does not end in /new")),
            ("a query", "https://a.example.com/new?size=3", ("discovery.url", "query")),
            ("a scheme of its own", "ftp://a.example.com/new", ("discovery.url", "http://")),
            ("nowhere", "https:///new", ("discovery.url", "no host")),
            ("a broken address", "https://[::1/new", ("discovery.url", "no URL")),
            ("a bad port", "https://a:99999/new", ("discovery.url", "no URL")),
            ("a password", "https://u:p@a.example.com/new", ("discovery.url", "password")),
        )
    ),
    (
        "a pull secret twice",
        {"image.pullSecrets": ["login", "other", "login"]},
        "image.pullSecrets[2]",
        "each Secret once",
    ),
    (
        "a pull secret with a blank",
        {"image.pullSecrets": ["my login"]},
        "image.pullSecrets[0]",
        "the name of a Secret",
    ),
    (
        "v3 discovery with a path",
        {"discovery.mode": "v3", "discovery.url": "http://a:2379/v3"},
        "discovery.url",
        "a path",
    ),
    (
        "v3 discovery with one bad address of two",
        {"discovery.mode": "v3", "discovery.url": "http://a:2379,b:2379"},
        "discovery.url",
        "http://",
    ),
    (
        "a range with bits behind its prefix",
        {"service.type": "LoadBalancer", "service.sourceRanges": ["10.0.0.1/8"]},
        "service.sourceRanges[0]",
        "CIDR",
    ),
    (
        "a range without a prefix",
        {"service.type": "LoadBalancer", "service.sourceRanges": ["10.0.0.1"]},
        "service.sourceRanges[0]",
        "CIDR",
    ),
    (
        "the peers' service name under another name",
        {"etcd.name": "kv", "service.name": "kv-seed"},
        "service.name",
        "kv-peer, kv-seed, kv-discovery",
    ),
]


@pytest.mark.parametrize(
    ("values", "path", "allowed"),
    [pytest.param(values, path, allowed, id=name) for name, values, path, allowed in TOGETHER],
)
def test_values_that_do_not_go_together_are_one_problem(
    values: dict[str, object], path: str, allowed: str
) -> None:
    (text,) = problems(with_values(values))
    assert text.startswith(f"etcd:{path} ")
    assert allowed in text
    assert "\n  Next: " in text


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"image": GOOD["image"]}, id="group not there"),
        pytest.param({**GOOD, "kubernetes": {"context": None}}, id="null"),
        pytest.param({**GOOD, "kubernetes": {"namespace": "x"}}, id="key not there"),
    ],
)
def test_the_ambient_context_is_never_taken(config: dict[str, Any]) -> None:
    (text,) = problems(config)
    assert text.startswith("etcd:kubernetes.context is not set; ")
    assert "kubectl config get-contexts" in text
    assert text.endswith("Next: pulumi config set --path etcd:kubernetes.context NAME")


@pytest.mark.parametrize(
    ("config", "path", "then"),
    [
        pytest.param(
            {**GOOD, "unit": {"count": 3}},
            "unit",
            "write etcd:units instead of etcd:unit",
            id="misspelt group",
        ),
        pytest.param(
            {**GOOD, "etcd": {"Version": "3.6.14"}},
            "etcd.Version",
            "write etcd.version instead of etcd.Version",
            id="key in other case",
        ),
        pytest.param(
            {**GOOD, "seeds": {"replicas": 3}},
            "seeds.replicas",
            "pulumi config rm --path etcd:seeds.replicas",
            id="key of another program",
        ),
        pytest.param(
            {**GOOD, "units": {"a.b": None}},
            'units["a.b"]',
            "pulumi config rm --path 'etcd:units[\"a.b\"]'",
            id="unknown key with a dot, and null",
        ),
        pytest.param(
            {**GOOD, "units.count": "5"},
            "units.count",
            "pulumi config rm etcd:units.count, then set it with --path",
            id="set without --path",
        ),
        pytest.param(
            {**GOOD, "replicas": "5"}, "replicas", "pulumi config rm etcd:replicas", id="unknown"
        ),
        pytest.param({**GOOD, "tls": {}}, "tls", "pulumi config rm etcd:tls", id="tls"),
    ],
)
def test_no_key_is_lost_in_silence(config: dict[str, Any], path: str, then: str) -> None:
    (text,) = problems(config)
    assert text.startswith(f"etcd:{path} is ")
    assert text.endswith(f"\n  Next: {then}")


@pytest.mark.parametrize(
    "name",
    [
        names.SERVING_LABEL,
        names.MEMBER_LABEL,
        names.ROLE_LABEL,
        "app.kubernetes.io/name",
        "kubernetes.io/os",
        "topology.kubernetes.io/zone",
        "apps.k8s.io/x",
        "not a label",
        "",
        "/x",
        "-x/y",
        "a" * 64,
    ],
)
def test_labels_of_the_program_and_of_kubernetes_are_not_overwritten(name: str) -> None:
    (text,) = problems(with_value("etcd.labels", {name: "x"}))
    assert text.startswith("etcd:etcd.labels")
    assert json.dumps(name) in text or f".{name} " in text
    assert "Next: pulumi config rm --path" in text


@pytest.mark.parametrize("value", [3, True, "-x", "a b", "x" * 64, [], {}])
def test_a_label_has_a_valid_value(value: object) -> None:
    (text,) = problems(with_value("etcd.labels", {"team": value}))
    assert text.startswith("etcd:etcd.labels.team is ")
    assert "allowed: a label value" in text


@pytest.mark.parametrize(
    "name",
    [
        "ETCD_INITIAL_CLUSTER",
        "ETCD_INITIAL_CLUSTER_STATE",
        "ETCD_NAME",
        "ETCD_DATA_DIR",
        "ETCD_WAL_DIR",
        "ETCD_LISTEN_CLIENT_URLS",
        "ETCD_LISTEN_METRICS_URLS",
        "ETCD_ADVERTISE_CLIENT_URLS",
        "ETCD_DISCOVERY",
        "ETCD_DISCOVERY_TOKEN",
        "ETCD_CERT_FILE",
        "ETCD_PEER_AUTO_TLS",
        "ETCD_CLIENT_CERT_AUTH",
        "ETCD_AUTO_TLS",
        "ETCD_TRUSTED_CA_FILE",
        "ETCD_MAX_LEARNERS",
        "ETCD_EXPERIMENTAL_MAX_LEARNERS",
        "ETCD_CONFIG_FILE",
        "ETCD_FORCE_NEW_CLUSTER",
        "ETCD_UNSAFE_NO_FSYNC",
        "ETCD_LOG_LEVEL",
        "ETCD_QUOTA_BACKEND_BYTES",
        "ETCD_SNAPSHOT_COUNT",
        "ETCDCTL_ENDPOINTS",
        "MEMBER_NAME",
        "PYTHONPATH",
        "PATH",
        "HTTP_PROXY",
        "https_proxy",
        "All_Proxy",
        "NO_PROXY",
        "1A",
        "A-B",
        "A=B",
    ],
)
def test_extra_env_takes_no_variable_that_the_program_sets(name: str) -> None:
    (text,) = problems(with_value("etcd.extraEnv", [{"name": name, "value": "x"}]))
    assert text.startswith(f'etcd:etcd.extraEnv[0].name is "{name}"; allowed: ')


@pytest.mark.parametrize(
    ("entries", "path"),
    [
        pytest.param(["A=b"], "etcd.extraEnv[0] ", id="text"),
        pytest.param([{"name": "A"}], "etcd.extraEnv[0].value ", id="no value"),
        pytest.param([{"name": "A", "value": 1}], "etcd.extraEnv[0].value ", id="a number"),
        pytest.param(
            [{"name": "A", "value": "1", "valueFrom": {}}],
            "etcd.extraEnv[0].valueFrom ",
            id="a key of Kubernetes",
        ),
        pytest.param(
            [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
            "etcd.extraEnv[1].name ",
            id="twice",
        ),
    ],
)
def test_extra_env_entries_are_names_with_values(entries: list[object], path: str) -> None:
    (text,) = problems(with_value("etcd.extraEnv", entries))
    assert text.startswith(f"etcd:{path}")


@pytest.mark.parametrize("entry", [3, None, {"kee": "a"}, {"tolerations": []}])
def test_tolerations_have_the_keys_that_kubernetes_knows(entry: object) -> None:
    (text,) = problems(with_value("units.tolerations", [entry]))
    assert text.startswith("etcd:units.tolerations[0]")
    assert "key, operator, value, effect, tolerationSeconds" in text


def test_affinity_has_the_keys_that_kubernetes_knows() -> None:
    (text,) = problems(with_value("units.affinity", {"nodeAfinity": {}}))
    assert text.endswith("Next: write nodeAffinity instead of nodeAfinity")
