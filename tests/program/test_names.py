"""Names, labels and Services: who is found under which name, on which port."""

from __future__ import annotations

import pytest

from tests.program.conftest import Declare
from tests.support.program import DYNAMIC, SEQUENCES, Program


def pod_labels(program: Program, workload: str) -> dict[str, str]:
    return program.one("StatefulSet", workload).spec["template"]["metadata"]["labels"]


def selected(program: Program, service: str) -> set[str]:
    """The workloads whose pods a Service selects, as they are declared."""
    selector = program.one("Service", service).spec["selector"]
    return {
        name
        for name in (r.inputs["metadata"]["name"] for r in program.all("StatefulSet"))
        if selector.items() <= pod_labels(program, name).items()
    }


def test_every_object_has_its_promised_name(declare: Declare) -> None:
    program = declare(etcd={"name": "kv"}, service={"name": "store"})
    named = {
        (r.type.rpartition(":")[2], r.inputs["metadata"]["name"])
        for r in program.resources
        if r.type.startswith("kubernetes:")
    }
    assert named == {
        ("StatefulSet", "kv"),
        ("StatefulSet", "kv-seed"),
        ("StatefulSet", "kv-discovery"),
        ("Service", "kv-discovery"),
        ("Service", "kv-peer"),
        ("Service", "store"),
        ("ServiceAccount", "kv"),
        ("Role", "kv"),
        ("RoleBinding", "kv"),
        ("PodDisruptionBudget", "kv"),
        ("NetworkPolicy", "kv"),
        ("NetworkPolicy", "kv-discovery"),
    }


def test_every_object_stands_in_the_configured_namespace(declare: Declare) -> None:
    program = declare(kubernetes={"namespace": "store"})
    for resource in program.resources:
        if resource.type.startswith("kubernetes:"):
            assert resource.inputs["metadata"]["namespace"] == "store", resource.urn
        if resource.type.startswith(DYNAMIC):
            assert resource.inputs["site"]["namespace"] == "store", resource.urn


def test_every_object_says_whose_it_is(declare: Declare) -> None:
    program = declare(stack="prod", etcd={"component": "store"})
    for resource in program.resources:
        if resource.type.startswith("kubernetes:"):
            labels = resource.inputs["metadata"]["labels"]
            assert labels["app.kubernetes.io/name"] == "etcd"
            assert labels["app.kubernetes.io/instance"] == "prod"
            assert labels["app.kubernetes.io/component"] == "store"
            assert labels["app.kubernetes.io/version"] == "3.6.14"
            assert labels["app.kubernetes.io/managed-by"] == "pulumi"


def test_a_workload_selects_its_own_pods_and_no_others(declare: Declare) -> None:
    program = declare()
    names = [r.inputs["metadata"]["name"] for r in program.all("StatefulSet")]
    for name in names:
        selector = program.one("StatefulSet", name).spec["selector"]["matchLabels"]
        matching = {n for n in names if selector.items() <= pod_labels(program, n).items()}
        assert matching == {name}


@pytest.mark.parametrize(
    "etcd",
    [
        pytest.param({"version": "3.7.1"}, id="version"),
        pytest.param({"labels": {"team": "storage"}}, id="labels"),
        pytest.param({"component": "store"}, id="component"),
    ],
)
def test_selectors_hold_nothing_that_may_change(declare: Declare, etcd: dict[str, object]) -> None:
    before, after = declare(), declare(etcd=etcd)
    for type_, key in (("StatefulSet", "selector"), ("Service", "selector")):
        for old in before.all(type_):
            new = after.one(type_, old.inputs["metadata"]["name"])
            assert new.spec[key] == old.spec[key]
    old, new = before.one("PodDisruptionBudget"), after.one("PodDisruptionBudget")
    assert new.spec["selector"] == old.spec["selector"]


def test_names_that_are_not_ready_are_published_to_peers_only(declare: Declare) -> None:
    program = declare()
    published = {
        r.inputs["metadata"]["name"]: r.spec.get("publishNotReadyAddresses", False)
        for r in program.all("Service")
    }
    assert published == {"etcd-peer": True, "etcd-discovery": True, "etcd": False}


def test_the_peer_port_is_on_the_headless_service_only(declare: Declare) -> None:
    program = declare(etcd={"peerPort": 12380})
    ports = {
        r.inputs["metadata"]["name"]: {p["name"]: p["port"] for p in r.spec["ports"]}
        for r in program.all("Service")
    }
    assert ports["etcd-peer"]["peer"] == 12380
    assert program.one("Service", "etcd-peer").spec["clusterIP"] == "None"
    for name in ("etcd", "etcd-discovery"):
        assert ports[name] == {"client": 2379}
        assert "clusterIP" not in program.one("Service", name).spec


def test_services_lead_to_whom_they_should(declare: Declare) -> None:
    program = declare()
    assert selected(program, "etcd-peer") == {"etcd", "etcd-seed"}
    assert selected(program, "etcd") == {"etcd", "etcd-seed"}
    assert selected(program, "etcd-discovery") == {"etcd-discovery"}


def test_one_label_taken_off_a_seed_hides_it_from_clients_alone(declare: Declare) -> None:
    """That is how the handover leads clients away before a seed goes."""
    program = declare()
    labels = pod_labels(program, "etcd-seed")
    site = program.one(f"{DYNAMIC}Handover").inputs["site"]
    assert labels.pop(site["serving_label"]) == "true"
    client = program.one("Service", "etcd").spec["selector"]
    peer = program.one("Service", "etcd-peer").spec["selector"]
    workload = program.one("StatefulSet", "etcd-seed").spec["selector"]["matchLabels"]
    assert not client.items() <= labels.items()
    assert peer.items() <= labels.items()
    assert workload.items() <= labels.items()


def test_two_stacks_in_one_namespace_do_not_see_each_other(declare: Declare) -> None:
    one, other = declare(stack="dev"), declare(stack="test")
    for name in ("etcd", "etcd-peer"):
        selector = one.one("Service", name).spec["selector"]
        assert not selector.items() <= pod_labels(other, "etcd").items()


@pytest.mark.parametrize("type_", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_the_client_service_is_of_the_configured_type(declare: Declare, type_: str) -> None:
    service = declare(service={"type": type_}).one("Service", "etcd")
    assert service.spec["type"] == type_
    internal = "networking.gke.io/load-balancer-type" in service.inputs["metadata"]["annotations"]
    assert internal == (type_ == "LoadBalancer"), "no public address without client certificates"


def test_a_load_balancer_lets_in_whom_it_should(declare: Declare) -> None:
    program = declare(service={"type": "LoadBalancer", "sourceRanges": ["10.0.0.0/8"]})
    service = program.one("Service", "etcd")
    assert service.spec["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    for name in ("etcd-peer", "etcd-discovery"):
        assert "type" not in program.one("Service", name).spec


def test_what_the_sequences_are_told_agrees_with_what_is_declared(declare: Declare) -> None:
    program = declare(etcd={"name": "kv", "clientPort": 12379}, service={"name": "store"})
    for name in SEQUENCES:
        site = program.one(f"{DYNAMIC}{name}").inputs["site"]
        units = program.one("StatefulSet", site["units"])
        seeds = program.one("StatefulSet", site["seeds"])
        discovery = program.one("StatefulSet", site["discovery"])
        assert [w.env["MEMBER_ROLE"] for w in (units, seeds, discovery)] == [
            "unit",
            "seed",
            "discovery",
        ]
        assert program.one("Service", site["service"])
        assert seeds.pod["schedulingGates"] == [{"name": "etcd.pulumi.com/bootstrap"}]
        assert discovery.env["MEMBER_CLIENT_URL"] == site["discovery_url"]
        assert site["local_url"] == "http://127.0.0.1:12379"
        (token,) = [v["secret"] for v in seeds.pod["volumes"] if "secret" in v]
        assert token["secretName"] == site["discovery"]
