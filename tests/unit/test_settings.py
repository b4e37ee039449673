"""A stack's config is taken as a whole or refused as a whole, with a way out for each problem."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components import names, settings
from components.settings import EnvVar, Settings, SettingsError, parse

ROOT = Path(__file__).resolve().parents[2]

GOOD: dict[str, Any] = {
    "image": {"registry": "localhost:5000"},
    "kubernetes": {"context": "lab"},
}
"""What a stack must say; the rest has defaults."""

DIGEST = f"sha256:{'a1' * 32}"


def with_value(path: str, value: object) -> dict[str, Any]:
    """The good config with one more value, at `group.key` or `group`."""
    config = copy.deepcopy(GOOD)
    group, _, key = path.partition(".")
    if key:
        config.setdefault(group, {})[key] = value
    else:
        config[group] = value
    return config


def with_values(values: dict[str, object]) -> dict[str, Any]:
    config = copy.deepcopy(GOOD)
    for path, value in values.items():
        group, _, key = path.partition(".")
        config.setdefault(group, {})[key] = value
    return config


def problems(config: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        parse(config)
    return caught.value.problems


def test_two_keys_are_enough_and_the_rest_has_defaults() -> None:
    found = parse(GOOD)
    assert found.etcd.version == "3.6.14"
    assert (found.seeds.count, found.units.count) == (3, 3)
    assert found.discovery.mode == "inCluster"
    assert found.storage.retain
    assert found.warnings == ()


def test_everything_that_can_be_set_arrives() -> None:
    found = parse(
        {
            "image": {
                "build": False,
                "context": "elsewhere",
                "etcdBase": f"quay.io/coreos/etcd:v3.7.1@{DIGEST}",
                "pythonBase": "registry.example.com:5000/python:3",
                "registry": "europe-docker.pkg.dev/project/repository",
                "repository": "team/etcd",
                "tag": "v1",
                "digest": DIGEST,
                "pullPolicy": "Always",
                "platform": "linux/arm64",
            },
            "kubernetes": {
                "kubeconfig": "~/kubeconfig",
                "context": "arn:aws:eks:eu-west-1:1:cluster/x",
                "namespace": "kv",
                "clusterDomain": "example.com",
            },
            "etcd": {
                "version": "3.7.2",
                "name": "kv",
                "component": "store",
                "clientPort": 12379,
                "peerPort": 12380,
                "metricsPort": 12381,
                "healthPort": 12382,
                "logLevel": "debug",
                "labels": {"example.com/team": "a", "empty": ""},
                "extraEnv": [{"name": "GOMAXPROCS", "value": "2"}],
            },
            "discovery": {"mode": "v3", "url": "http://a:2379,https://b:2379"},
            "seeds": {"count": 1, "cpu": "1", "memory": "1G"},
            "units": {
                "count": 7,
                "cpu": "0.5",
                "memory": "1.5Gi",
                "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "dedicated", "operator": "Exists"}],
                "affinity": {"podAntiAffinity": {}},
            },
            "service": {
                "name": "kv-client",
                "type": "LoadBalancer",
                "internal": True,
                "sourceRanges": ["10.0.0.0/8", "fd00::/8"],
            },
            "storage": {"kind": "ephemeral", "size": "2Gi", "className": "fast", "retain": False},
            "handover": {"timeoutSeconds": 30},
        }
    )
    assert found.image.digest == DIGEST
    assert found.etcd.minor == (3, 7)
    assert found.etcd.extra_env == (EnvVar("GOMAXPROCS", "2"),)
    assert found.etcd.labels == {"example.com/team": "a", "empty": ""}
    assert found.units.tolerations == ({"key": "dedicated", "operator": "Exists"},)
    assert found.service.source_ranges == ("10.0.0.0/8", "fd00::/8")
    assert found.handover.timeout_seconds == 30


BAD = [
    # id, path, value, what the message must say as allowed
    ("an even number of units", "units.count", 4, "odd integer from 1 to 7"),
    ("no seed", "seeds.count", 0, "odd integer from 1 to 7"),
    ("a negative number of seeds", "seeds.count", -3, "odd integer from 1 to 7"),
    ("nine units", "units.count", 9, "odd integer from 1 to 7"),
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
    ("memory in thousandths", "units.memory", "512m", "at least 64Mi"),
    ("memory of a few bytes", "seeds.memory", "512", "at least 64Mi"),
    ("memory in an unknown unit", "seeds.memory", "1GB", "at least 64Mi"),
    ("a node selector with a number", "units.nodeSelector", "disk=ssd", "object"),
    ("tolerations as an object", "units.tolerations", {"key": "a"}, "list"),
    ("affinity as a text", "units.affinity", "zone", "object"),
    ("a volume of nothing", "storage.size", "0Gi", "at least 512Mi"),
    ("a volume of less than nothing", "storage.size", "-1Gi", "at least 512Mi"),
    ("a size that is a number", "storage.size", 20, "quote it"),
    ("an unknown kind of storage", "storage.kind", "tmpfs", "persistent, ephemeral, memory"),
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
        pytest.param({**GOOD, "gke": {}}, "gke", "pulumi config rm etcd:gke", id="gke"),
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
        "ETCDCTL_ENDPOINTS",
        "MEMBER_NAME",
        "PYTHONPATH",
        "PATH",
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


def test_all_problems_come_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(
            {
                "units": {"count": 4, "cuont": 3},
                "seeds": {"count": "3"},
                "etcd": {"version": 3.6, "clientPort": 80},
                "storage": {"size": "much"},
                "tls": {"client": True},
            }
        )
    text = str(caught.value)
    keys = "units.count units.cuont seeds.count etcd.version etcd.clientPort storage.size tls"
    for path in [*keys.split(), "image.registry", "kubernetes.context"]:
        assert len(re.findall(rf"^etcd:{re.escape(path)} is ", text, re.M)) == 1
    assert text.startswith("the stack's config has 9 errors; nothing was touched:\n")
    assert text.count("\n  Next: ") == 9


def test_a_value_that_is_wrong_by_itself_is_not_compared_with_others() -> None:
    config = with_values({"units.count": "1", "seeds.count": 5, "etcd.version": "3.5.1"})
    assert [text.split(" ")[0] for text in problems(config)] == [
        "etcd:etcd.version",
        "etcd:units.count",
    ]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x" * 5000, id="long text"),
        pytest.param(10**5000, id="number of 5001 digits"),
        pytest.param(float("nan"), id="not a number"),
        pytest.param({("a", 1): "b"}, id="keys that are no strings"),
    ],
)
def test_a_monstrous_value_still_gives_a_short_message(value: object) -> None:
    (text,) = problems(with_value("etcd.version", value))
    assert len(text) < 400


def test_the_public_discovery_service_is_allowed_with_a_warning() -> None:
    url = "https://discovery.etcd.io/new"
    found = parse(with_values({"discovery.mode": "v2", "discovery.url": url}))
    (warning,) = found.warnings
    assert "discovery.etcd.io" in warning
    assert "Next: pulumi config set --path etcd:discovery.mode inCluster" in warning


def test_seeds_of_etcd_3_5_can_use_v2_discovery() -> None:
    found = parse(
        with_values(
            {
                "etcd.version": "3.5.33",
                "discovery.mode": "v2",
                "discovery.url": "http://discovery.example.com/new",
            }
        )
    )
    assert found.etcd.minor == (3, 5)
    assert found.warnings == ()


@pytest.mark.parametrize("written", [None, "", "-"])
def test_no_storage_class_of_its_own_can_be_written_as_charts_do(written: str | None) -> None:
    assert parse(with_value("storage.className", written)).storage.class_name is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _groups() -> dict[str, Any]:
    """The dataclass of each group."""
    hints = get_type_hints(Settings)
    return {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}


def _keys(kind: Any) -> list[str]:
    return [_camel(field.name) for field in dataclasses.fields(kind)]


NEAR_MISSES = st.fixed_dictionaries(
    {},
    optional={
        group: st.dictionaries(
            st.sampled_from(_keys(kind)),
            JSON | st.sampled_from([value for _, path, value, _ in BAD if "." in path]),
        )
        for group, kind in _groups().items()
    },
)


@given(JSON.filter(lambda value: isinstance(value, dict)) | NEAR_MISSES)
def test_no_config_makes_the_parser_fail_in_another_way(config: dict[str, Any]) -> None:
    found = refused = None
    try:
        found = parse(config)
    except SettingsError as error:
        refused = error.problems
    if found is not None:
        assert found.units.count >= found.seeds.count
        assert found.kubernetes.context
    else:
        assert refused
        assert all("\n  Next: " in text for text in refused)


def test_every_group_and_key_is_described_in_the_schema_with_its_default() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    groups = _groups()
    assert list(project["config"]) == list(groups)
    defaults = parse(GOOD)
    for group, kind in groups.items():
        schema = project["config"][group]
        assert schema["type"] == "object"
        assert schema["default"] == {}
        lines = re.findall(
            r"^- (\w+) \((\w+), (?:default )?(.+?)\): .", schema["description"], re.M
        )
        assert [key for key, _, _ in lines] == _keys(kind)
        values = dataclasses.astuple(getattr(defaults, group))
        for (key, _, default), value in zip(lines, values, strict=True):
            if key in GOOD.get(group, {}):
                assert default == "required", key
            else:
                shown = [] if value == () else value
                assert default == (shown if isinstance(shown, str) else json.dumps(shown)), key


def test_every_choice_is_described_in_the_schema() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    for group, kind in _groups().items():
        for option in (o for hint in get_type_hints(kind).values() for o in get_args(hint)):
            if isinstance(option, str):
                assert option in project["config"][group]["description"]


@pytest.mark.parametrize("file", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda file: file.name)
def test_the_stacks_of_the_repository_are_good(file: Path) -> None:
    config = yaml.safe_load(file.read_text())["config"]
    own = {key.removeprefix("etcd:"): v for key, v in config.items() if key.startswith("etcd:")}
    assert parse(own).warnings == ()


def test_load_reads_every_key_of_the_project_and_fails_without_a_traceback() -> None:
    config = {f"etcd:{group}": json.dumps(value) for group, value in GOOD.items()}
    try:
        pulumi.runtime.set_all_config({**config, "etcd:seeds": '{"count": 1}', "gcp:project": "p"})
        assert settings.load().seeds.count == 1
        pulumi.runtime.set_all_config({**config, "etcd:replicas": "3", "etcd:units": "{"})
        with pytest.raises(pulumi.RunError) as caught:
            settings.load()
    finally:
        pulumi.runtime.set_all_config({})
    assert "etcd:replicas is not a key of this program" in str(caught.value)
    assert 'etcd:units is "{"; allowed: an object' in str(caught.value)
    assert caught.value.__suppress_context__
