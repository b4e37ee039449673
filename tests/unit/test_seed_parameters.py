"""Every parameter of the two programs that this one follows has a successor here, or a reason.

S1: SaMnCo/k8s-etcd-cluster, shell scripts on GKE. S2: the Helm chart incubator/etcd 0.7.7.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from components.settings import Settings, parse
from components.settings.model import EnvVar
from tests.support.stack_config import DIGEST, GOOD, groups, keys, problems

CONFIG = dict[str, Any]

MADE: CONFIG = {"gke": {"create": True, "project": "my-project"}}


def with_values(base: CONFIG, values: CONFIG) -> CONFIG:
    config = copy.deepcopy(base)
    for path, value in values.items():
        group, _, key = path.partition(".")
        if key:
            config.setdefault(group, {})[key] = value
        else:
            config[group] = value
    return config


def found(settings: Settings, path: str) -> Any:
    """The value that has arrived at `group.key`."""
    group, _, key = path.partition(".")
    section = getattr(settings, group)
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in key)
    return getattr(section, snake)


WORKS: list[tuple[str, CONFIG, str, object]] = [
    # parameter of S1 or S2, stack that it is set in, our key, value
    ("S1 PROJECT_ID", MADE, "gke.project", "their-project"),
    ("S1 REGION", MADE, "gke.region", "europe-west1"),
    ("S1 ZONE", MADE, "gke.zone", "us-central1-f"),
    ("S1 DEFAULT_MACHINE_TYPE", MADE, "gke.machineType", "n2d-standard-2"),
    ("S1 APP_CLUSTER_ID", MADE, "gke.clusterName", "kubernetes"),
    ("S1 APP_CLUSTER_SIZE, of nodes", MADE, "gke.nodeCount", 6),
    ("S1 APP_CLUSTER_SIZE, of the discovery", GOOD, "seeds.count", 1),
    ("S1 gcloud container clusters create", MADE, "gke.create", True),
    ("new: production", MADE, "gke.deletionProtection", True),
    ("new: Autopilot", MADE, "gke.autopilot", True),
    ("S1 kubectl's context", GOOD, "kubernetes.context", "mine"),
    ("S1 namespace default", GOOD, "kubernetes.namespace", "kv"),
    ("S1 MIN_LOG_LEVEL", GOOD, "etcd.logLevel", "debug"),
    ("S1 DEFAULT_REGISTRY", GOOD, "image.registry", "europe-docker.pkg.dev/p/r"),
    ("S1 DOCKER_PROJECTS", GOOD, "image.context", "containers/other"),
    ("S1 package.json name, S2 image.repository", GOOD, "image.repository", "team/etcd"),
    ("S1 Dockerfile FROM", GOOD, "image.etcdBase", "quay.io/coreos/etcd"),
    ("S1 Dockerfile FROM", GOOD, "image.pythonBase", "mirror.test/python:3"),
    ("S1 package.json version, S2 image.tag", GOOD, "etcd.version", "3.7.1"),
    ("S2 image.tag, of an own build", GOOD, "image.tag", "mine"),
    ("S2 image.pullPolicy", GOOD, "image.pullPolicy", "Always"),
    ("new: pull secrets", GOOD, "image.pullSecrets", ("registry-login",)),
    ("new: platform", GOOD, "image.platform", "linux/arm64"),
    ("S1 EXPOSE 2379, S2 clientPort", GOOD, "etcd.clientPort", 12379),
    ("S1 EXPOSE 2380, S2 peerPort", GOOD, "etcd.peerPort", 12380),
    ("new: metrics", GOOD, "etcd.metricsPort", 12381),
    ("S2 component", GOOD, "etcd.component", "store"),
    ("S1 label name, S2 fullnameOverride", GOOD, "etcd.name", "kv"),
    ("S1 labels release and tiers", GOOD, "etcd.labels", {"tiers": "middleware"}),
    ("S1 seed replicas", GOOD, "seeds.count", 3),
    ("S2 Cpu, of the older chart", GOOD, "seeds.cpu", "200m"),
    ("S2 Memory, of the older chart", GOOD, "seeds.memory", "1Gi"),
    ("S1 unit replicas, S2 replicas", GOOD, "units.count", 5),
    ("S2 resources.requests.cpu", GOOD, "units.cpu", "2"),
    ("S2 resources.limits.memory", GOOD, "units.memory", "8Gi"),
    ("S2 nodeSelector", GOOD, "units.nodeSelector", {"disk": "ssd"}),
    ("S2 tolerations", GOOD, "units.tolerations", ({"key": "a", "operator": "Exists"},)),
    ("S2 affinity", GOOD, "units.affinity", {"podAntiAffinity": {}}),
    ("S1 Service name", GOOD, "service.name", "etcd-service"),
    ("S1 Service type", GOOD, "service.type", "LoadBalancer"),
    ("S2 persistentVolume.enabled, S1 volumes", GOOD, "storage.kind", "persistent"),
    ("S2 memoryMode", GOOD, "storage.kind", "memory"),
    ("S1 X_ETCD_DATA_DIR without a volume", GOOD, "storage.kind", "ephemeral"),
    ("S2 persistentVolume.storage", GOOD, "storage.size", "1Gi"),
    ("S2 persistentVolume.storageClass", GOOD, "storage.className", "fast"),
    ("S2 data kept on restart, cleaned on scale-down", GOOD, "storage.retain", False),
    ("S1 sleep 20 before the seeds go", GOOD, "handover.timeoutSeconds", 60),
]


@pytest.mark.parametrize(
    ("stack", "path", "value"),
    [pytest.param(*rest, id=f"{name}: {rest[1]}") for name, *rest in WORKS],
)
def test_a_parameter_has_a_key_and_its_value_arrives(
    stack: CONFIG, path: str, value: object
) -> None:
    assert found(parse(with_values(stack, {path: value})), path) == value


def test_parameters_of_several_keys_arrive() -> None:
    """S1 ETCD_URL; S2 extraEnv; S1's public Service, limited; a prebuilt image."""
    discovery = {"discovery.mode": "v2", "discovery.url": "https://own.test/new"}
    assert parse(with_values(GOOD, discovery)).discovery.url == "https://own.test/new"
    extra = {"etcd.extraEnv": [{"name": "GOMAXPROCS", "value": "2"}]}
    assert parse(with_values(GOOD, extra)).etcd.extra_env == (EnvVar("GOMAXPROCS", "2"),)
    ranges = {"service.type": "LoadBalancer", "service.sourceRanges": ["10.0.0.0/8"]}
    assert parse(with_values(GOOD, ranges)).service.source_ranges == ("10.0.0.0/8",)
    prebuilt = {"image.build": False, "image.digest": DIGEST}
    assert parse(with_values(GOOD, prebuilt)).image.digest == DIGEST


TLS = ("client", "clientCertAuth", "clientSecret", "peer", "peerCertAuth", "peerSecret")
"""S2 auth.client.* and auth.peer.*; and auth.peer.useAutoTLS, which never comes."""

REFUSED: list[tuple[str, CONFIG, str, str]] = [
    # parameter, values, key that is named, reason
    *(
        (f"S2 auth: {key}", {"tls": {key: True}}, "tls", "is not available yet")
        for key in (*TLS, "useAutoTLS")
    ),
    (
        "S1 public LoadBalancer",
        {"service.type": "LoadBalancer", "service.internal": False},
        "service.internal",
        "needs client certificates",
    ),
    ("S1, S2 version 2.2.5", {"etcd.version": "2.2.5"}, "etcd.version", "3.6.14 or later"),
    ("S2 version 3.2.26", {"etcd.version": "3.2.26"}, "etcd.version", "3.6.14 or later"),
    ("S2 replicas 4", {"units.count": 4}, "units.count", "odd integer"),
    ("S2 storage empty", {"storage.size": ""}, "storage.size", "at least 1Gi"),
    ("S1 ETCD_URL of 3.7", {"etcd.version": "3.7.1", "discovery.mode": "v2",
     "discovery.url": "https://own.test/new"}, "discovery.mode", "no v2 discovery"),
    ("S2 extraEnv of our own", {"etcd.extraEnv": [{"name": "ETCD_NAME", "value": "x"}]},
     "etcd.extraEnv[0].name", "neither the program nor its image sets"),
    ("S1 image base as one key", {"image.base": "x"}, "image.base", "etcdBase, pythonBase"),
    ("S1 PROJECT_ID's placeholder", {**{"gke": {"create": True, "project": "YOUR_PROJECT_NAME"}},
     "kubernetes": {}}, "gke.project", "6 to 30"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "path", "reason"), [pytest.param(*rest, id=name) for name, *rest in REFUSED]
)
def test_what_is_not_taken_is_refused_with_the_reason(
    values: CONFIG, path: str, reason: str
) -> None:
    (text,) = problems(with_values(GOOD, values))
    assert text.startswith(f"etcd:{path} ")
    assert reason in text


WITHOUT_KEY = [
    # parameter, the key that somebody might try, why it needs none
    ("S1 FACILITY", "facility", "containers log to their output"),
    ("S1 LOGTAG", "logtag", "lines carry the name of what they are about"),
    ("S1 TMP_FILES", "tmpFiles", "no file is rendered"),
    ("S1 IMAGE_LIST", "imageList", "read by none of its scripts"),
    ("S1 X_ETCD_DISCOVERY", "xEtcdDiscovery", "a role is a role, not guessed from a URL"),
    ("S1 X_ETCD_NAME, X_ETCD_*_URLS", "xEtcdName", "pods have stable names"),
    ("S1 environment", "environment", "it is the stack"),
    ("S2 SET_NAME", "setName", "nobody is told at a start who else there is"),
    ("S2 INITIAL_CLUSTER_SIZE", "initialClusterSize", "nobody is told at a start how many"),
    ("S2 ETCDCTL_API", "etcdctlApi", "v3 is the only one"),
]


@pytest.mark.parametrize("name", [pytest.param(key, id=f"{p}: {w}") for p, key, w in WITHOUT_KEY])
def test_a_parameter_without_a_key_is_not_lost_in_silence(name: str) -> None:
    (text,) = problems({**GOOD, name: "x"})
    assert text.startswith(f"etcd:{name} is not a key of this program")


PUBLIC = "https://discovery.etcd.io/new"


def test_the_service_that_s1_relied_on_is_an_explicit_choice_with_a_warning() -> None:
    (warning,) = parse(
        with_values(GOOD, {"discovery.mode": "v2", "discovery.url": PUBLIC})
    ).warnings
    assert "discovery.etcd.io" in warning


def test_no_key_of_ours_is_missing_in_this_walk() -> None:
    """Else a key could be added that nobody shows to work."""
    several = {"discovery.mode", "discovery.url", "etcd.extraEnv", "image.build", "image.digest"}
    several |= {"service.internal", "service.sourceRanges"}
    ours = {f"{group}.{key}" for group, kind in groups().items() for key in keys(kind)}
    own = {  # without a forerunner
        "units.minTolerance", "etcd.healthPort", "kubernetes.kubeconfig",
        "kubernetes.clusterDomain", "gke.channel", "gke.authorizedNetworks", "gke.kmsKey",
        "gke.labels", "gke.maintenanceStart",
    }  # fmt: skip
    assert {path for _, _, path, _ in WORKS} | several | own == ours
