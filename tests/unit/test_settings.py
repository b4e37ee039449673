"""A stack's config is taken as a whole or refused as a whole."""

from __future__ import annotations

import json
import re
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import settings
from components.settings import EnvVar, SettingsError, parse
from tests.support.stack_config import (
    DIGEST,
    GOOD,
    groups,
    keys,
    problems,
    with_value,
    with_values,
)


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
                "pullSecrets": ["registry-login", "mirror.login"],
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
    assert found.image.pull_secrets == ("registry-login", "mirror.login")
    assert found.etcd.minor == (3, 7)
    assert found.etcd.extra_env == (EnvVar("GOMAXPROCS", "2"),)
    assert found.etcd.labels == {"example.com/team": "a", "empty": ""}
    assert found.units.tolerations == ({"key": "dedicated", "operator": "Exists"},)
    assert found.service.source_ranges == ("10.0.0.0/8", "fd00::/8")
    assert found.handover.timeout_seconds == 30


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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


NEAR_MISSES = st.fixed_dictionaries(
    {},
    optional={
        group: st.dictionaries(
            st.sampled_from(keys(kind)),
            JSON | st.sampled_from([1, 3, 5, 2380, True, "3.5.33", "v2", "etcd-peer", "1Gi", "1"]),
        )
        for group, kind in groups().items()
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
        assert bool(found.kubernetes.context) != found.gke.create
    else:
        assert refused
        assert all("\n  Next: " in text for text in refused)


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


def test_a_port_of_every_node_is_allowed_with_a_warning() -> None:
    (warning,) = parse(with_value("service.type", "NodePort")).warnings
    assert "whoever reaches a node" in warning
    assert "Next: pulumi config set --path etcd:service.type ClusterIP" in warning


def test_a_load_balancer_that_some_clouds_make_public_is_allowed_with_a_warning() -> None:
    (warning,) = parse(with_value("service.type", "LoadBalancer")).warnings
    assert "its address is public" in warning
    assert "Next: pulumi config set --path 'etcd:service.sourceRanges[0]' 10.0.0.0/8" in warning


def test_a_load_balancer_that_is_known_to_be_closed_is_worth_no_warning() -> None:
    ranges = {"service": {"type": "LoadBalancer", "sourceRanges": ["10.0.0.0/8"]}}
    assert parse({**GOOD, **ranges}).warnings == ()
    on_google = {"gke": {"create": True}, "service": {"type": "LoadBalancer"}}
    assert parse(on_google, google_project="my-project").warnings == ()


@pytest.mark.parametrize("stack", ["dev", "team.prod_2", "a" * 63])
def test_a_stack_may_have_any_name_that_is_a_label(stack: str) -> None:
    assert parse(GOOD, stack=stack).units.count == 3


@pytest.mark.parametrize("stack", ["a" * 64, "dev-", "_dev"])
def test_a_stack_whose_name_is_no_label_is_refused_before_anything_is_made(stack: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(GOOD, stack=stack)
    (problem,) = caught.value.problems
    assert problem.startswith(f"the stack's name is {stack!r}; allowed: ")
    assert problem.endswith("Next: pulumi stack rename NAME")


def test_load_tells_the_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://discovery.etcd.io/new"
    config = with_values({"discovery.mode": "v2", "discovery.url": url})
    told: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", told.append)
    try:
        pulumi.runtime.set_all_config({f"etcd:{k}": json.dumps(v) for k, v in config.items()})
        assert settings.load().warnings == tuple(told)
    finally:
        pulumi.runtime.set_all_config({})
    assert len(told) == 1
