"""Errors of the dynamic providers: one clear message each, told before anything is touched.

The Kubernetes API is a fake of the few answers that each case is about: a real one is not to be had
broken in so many ways.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from components.dynamic.namespace import NamespaceProvider
from components.dynamic.preflight import PreflightProvider
from components.dynamic.provider import Sequence
from components.dynamic.rollout import RolloutProvider
from components.dynamic.scale import ScaleProvider
from components.dynamic.site import Site
from components.names import TEMPLATE_ANNOTATION
from tests.support.answers import Reply, closed_port, serving
from tests.support.dynamic import ASKING, AT_ONCE, SITE, inputs, preflight, refused
from tests.support.kubernetes_api import Kubernetes, kubeconfig
from tests.support.plugin import Plugin
from tests.support.stack import until

# ---------------------------------------------------------------- errors


def work(process: Plugin, kind: type[Sequence], props: dict[str, Any]) -> object:
    """Let a resource do its work; the scale has none before something changes."""
    if kind is ScaleProvider:
        return process.update(kind(), props, {**props, "units": 5})
    return process.create(kind(), props)


@pytest.mark.parametrize("kind", AT_ONCE, ids=lambda kind: kind.__name__)
def test_an_unreachable_cluster_is_one_clear_error(kind: type[Sequence], dynamic: Plugin) -> None:
    props = inputs(kind, f"http://127.0.0.1:{closed_port()}")
    text = refused(lambda: work(dynamic, kind, props), dynamic)
    assert "context here does not answer" in text


def test_an_unreachable_gke_cluster_is_looked_at_with_nothing_but_gcloud(dynamic: Plugin) -> None:
    """Nobody has a kubeconfig yet of a cluster that this `up` has made."""
    nowhere = f"http://127.0.0.1:{closed_port()}"
    props = inputs(PreflightProvider, nowhere)
    props["site"] = {**props["site"], "context": "gke_my-project_us-central1_etcd"}
    props["kubeconfig"] = kubeconfig(nowhere, context="gke_my-project_us-central1_etcd")
    text = refused(lambda: work(dynamic, PreflightProvider, props), dynamic)
    look = "gcloud container clusters describe etcd --location us-central1 --project my-project"
    assert f"Next: {look}" in text


def test_a_namespace_that_cannot_be_asked_for_is_one_clear_error(dynamic: Plugin) -> None:
    props = inputs(NamespaceProvider, f"http://127.0.0.1:{closed_port()}")
    refused(lambda: dynamic.delete(NamespaceProvider(), props), dynamic)


BROKEN = [
    pytest.param("", id="empty"),
    pytest.param("{", id="no YAML"),
    pytest.param("just words", id="no object"),
    pytest.param("[1, 2]", id="a list"),
    pytest.param("{}", id="no contexts"),
    pytest.param('{"contexts": null, "clusters": null}', id="nulls"),
    pytest.param(kubeconfig("http://127.0.0.1:1", context="other"), id="wrong context"),
    pytest.param(kubeconfig("http://127.0.0.1:1").replace('"clusters"', '"x"'), id="no cluster"),
    pytest.param(kubeconfig("::: no address"), id="no address"),
    pytest.param(
        kubeconfig("https://127.0.0.1:1", **{"client-certificate-data": "%%%"}),
        id="a certificate that is none",
    ),
    pytest.param(
        kubeconfig("https://127.0.0.1:1", **{"client-certificate": "/nowhere/at/all"}),
        id="a file that is not there",
    ),
]


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("kind", AT_ONCE, ids=lambda kind: kind.__name__)
def test_a_broken_kubeconfig_is_one_clear_error(
    kind: type[Sequence], text: str, dynamic: Plugin
) -> None:
    refused(lambda: dynamic.create(kind(), inputs(kind, kubeconfig=text)), dynamic)


_AFTER = {
    401: "Next: log in to the cluster again",
    403: "Next: grant what is missing",
    422: "Next: correct what it names",
    500: "Next: pulumi up, which goes on from here, once",
    503: "Next: pulumi up, which goes on from here, once",
}
"""An expired sign-in, a missing right, a value that is no good, a webhook that is down, a pause."""


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        pytest.param(kind, code, id=f"{kind.__name__}-{code}")
        for kind in ASKING
        for code in _AFTER
        if kind in AT_ONCE or code != 503
    ],
)
def test_a_refusal_of_kubernetes_is_told_in_its_own_words_and_with_what_helps(
    kind: type[Sequence], code: int, dynamic: Plugin
) -> None:
    with Kubernetes.running(always=Kubernetes.status(code, "so it is decreed")) as api:
        text = refused(lambda: work(dynamic, kind, inputs(kind, api.url)), dynamic)
    assert "so it is decreed" in text
    assert "context here" in text
    assert text.splitlines()[-1].startswith(_AFTER[code])


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(502, "<html>Bad gateway</html>"), id="an error page"),
        pytest.param(Reply(200, "<html>Welcome</html>"), id="a welcome page"),
        pytest.param(Reply(500, "{broken"), id="half an answer"),
        pytest.param(Reply(500, '{"kind": "x"}'), id="JSON of something else"),
        pytest.param(Reply(500, '["x"]'), id="a JSON list"),
        pytest.param(Reply(closes=True), id="a closed connection"),
    ],
)
def test_what_is_no_kubernetes_is_one_clear_error(reply: Reply, dynamic: Plugin) -> None:
    with serving(reply) as server:
        refused(
            lambda: dynamic.create(PreflightProvider(), inputs(PreflightProvider, server.url)),
            dynamic,
        )


# ---------------------------------------------------------------- preflight


OURS = Site(**SITE).identity
"""Labels of what belongs to the stack."""
FIXED = {
    "storage.kind": "persistent",
    "storage.size": "20Gi",
    "kubernetes.clusterDomain": "cluster.local",
    "etcd.peerPort": "2380",
}
"""Settings that a cluster on volumes was made with."""


def test_a_cluster_with_all_that_is_needed_passes_and_is_not_touched(
    dynamic: Plugin, api: Kubernetes
) -> None:
    props = inputs(PreflightProvider, api.url)
    answer = dynamic.create(PreflightProvider(), props)
    assert answer.outs == props
    assert dynamic.said() == ""
    reviews = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert {a for a in api.asked if not a.startswith("GET ")} == {reviews}


def test_all_obstacles_are_told_together(dynamic: Plugin) -> None:
    with Kubernetes.running(
        minor="27+",
        classes={"slow": False},
        namespace=True,
        quota={"pods": ("5", "1"), "requests.cpu": ("1", "500m"), "requests.storage": ("1Ti", "0")},
    ) as api:
        text = preflight(dynamic, api, storage_class="fast")
    assert "Kubernetes is 1.27+" in text
    assert "etcd:storage.className is 'fast'" in text
    assert "slow" in text
    assert "allows pods 5, 1 in use; this stack needs 7 more" in text
    assert "allows requests.cpu 1, 500m in use" in text
    assert "requests.storage" not in text, "there is enough of it"


@pytest.mark.parametrize(
    ("kubernetes", "changed", "expected"),
    [
        pytest.param({"minor": "28"}, {}, "needed: 1.29 or newer", id="an old Kubernetes"),
        pytest.param(
            {"forbidden": {("create", "namespaces")}}, {}, "create namespaces", id="no namespace"
        ),
        pytest.param(
            {"forbidden": {("patch", "statefulsets/scale")}},
            {},
            "patch statefulsets/scale",
            id="may not scale",
        ),
        pytest.param(
            {"forbidden": {("patch", "poddisruptionbudgets")}},
            {},
            "patch poddisruptionbudgets",
            id="may not note what is under way",
        ),
        pytest.param(
            {"forbidden": {("create", "statefulsets"), ("get", "pods/exec")}, "namespace": True},
            {},
            "create statefulsets, get pods/exec",
            id="two rights are missing",
        ),
        pytest.param({"classes": {}}, {}, "classes: none", id="no storage class at all"),
        pytest.param(
            {"classes": {"slow": False}}, {}, "no default class", id="no default storage class"
        ),
        pytest.param(
            {"namespace": True, "quota": {"persistentvolumeclaims": ("5", "0")}},
            {},
            "allows persistentvolumeclaims 5, 0 in use; this stack needs 6 more",
            id="too few volumes allowed",
        ),
        pytest.param(
            {"namespace": True, "quota": {"requests.storage": ("100Gi", "0")}},
            {},
            "allows requests.storage 100Gi",
            id="too little storage allowed",
        ),
        pytest.param(
            {"namespace": True, "quota": {"limits.memory": ("1Gi", "0")}},
            {},
            "allows limits.memory 1Gi",
            id="too little memory allowed",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"pods": ("4", "3")}},
            {"unit_pods": 5},
            "allows pods 4, 3 in use; this stack needs 2 more",
            id="the namespace has no room to grow",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"requests.cpu": ("1900m", "1500m")}},
            {"unit_cpu": "2.5"},
            "allows requests.cpu 1900m, 1500m in use; this stack needs 1 more",
            id="no processors to grow",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"requests.storage": ("80Gi", "60Gi")}},
            {"unit_volumes": 5},
            "allows requests.storage 80Gi, 60Gi in use; this stack needs 40960Mi more",
            id="no storage to grow",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"memory": ("4Gi", "3Gi")}},
            {"unit_memory": str(6 * 1024**3)},
            "allows memory 4Gi",
            id="no memory for the same units",
        ),
        pytest.param(
            {"namespace": True, "quota": {"count/services": ("5", "3")}},
            {},
            "allows count/services 5, 3 in use; this stack needs 3 more",
            id="too few Services allowed",
        ),
        pytest.param(
            {
                "namespace": True,
                "quota": {"fast.storageclass.storage.k8s.io/requests.storage": ("100Gi", "0")},
                "classes": {"fast": False},
            },
            {"storage_class": "fast"},
            "allows fast.storageclass.storage.k8s.io/requests.storage 100Gi",
            id="too little of that storage class allowed",
        ),
        pytest.param(
            {"namespace": True, "quota": {"limits.cpu": ("100", "0")}},
            {},
            "counts limits.cpu, so that a pod without a CPU limit is refused",
            id="a quota for what members do not have",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [{"type": "Container", "max": {"memory": "512Mi"}}],
            },
            {},
            "allows memory from 0 to 512Mi for each Container; etcd:units.memory is 1024Mi",
            id="units are too large for the namespace",
        ),
        pytest.param(
            {"namespace": True, "limits": [{"type": "Container", "min": {"cpu": "200m"}}]},
            {},
            "allows cpu from 200m to any for each Container; etcd:seeds.cpu is 0.1",
            id="seeds are too small for the namespace",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "10Gi"}}],
            },
            {},
            "allows storage from 0 to 10Gi for each PersistentVolumeClaim; etcd:storage.size",
            id="volumes are too large for the namespace",
        ),
        pytest.param(
            {"namespace": True, "objects": {"statefulsets": ["etcd-seed", "etcd"]}, "labels": OURS},
            {},
            "StatefulSet etcd, etcd-seed of namespace etcd: there already",
            id="the stack's state is lost",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "kept": "c1"},
            {"fixed": {**FIXED, "storage.kind": "memory"}},
            "hold cluster c1, and etcd:storage.kind is memory",
            id="a cluster is kept on volumes that would not be used",
        ),
    ],
)
def test_an_obstacle_is_told_before_anything_is_touched(
    kubernetes: dict[str, Any], changed: dict[str, Any], expected: str, dynamic: Plugin
) -> None:
    with Kubernetes.running(**kubernetes) as api:
        assert expected in preflight(dynamic, api, **changed)
        assert all(a.startswith("GET ") or "accessreviews" in a for a in api.asked)


@pytest.mark.parametrize(
    ("kubernetes", "changed"),
    [
        pytest.param({"classes": {}}, {"volumes": 0}, id="no volumes wanted: no class needed"),
        pytest.param(
            {"classes": {"slow": False}}, {"storage_class": "slow"}, id="the named class is there"
        ),
        pytest.param(
            {"forbidden": {("create", "namespaces")}, "namespace": True},
            {},
            id="the namespace is there: nobody has to make it",
        ),
        pytest.param(
            {"namespace": True, "quota": {"pods": ("7", "0"), "cpu": ("1900m", "0")}},
            {},
            id="just enough",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"pods": ("5", "3"), "cpu": ("2", "1500m")}},
            {"unit_pods": 5, "unit_cpu": "2.0"},
            id="just enough to grow",
        ),
        pytest.param(
            {"namespace": True, "units": 3, "quota": {"pods": ("2", "3"), "memory": ("1", "2")}},
            {"unit_pods": 1, "unit_cpu": "0.5", "unit_memory": "1", "unit_volumes": 1},
            id="a full namespace, and nothing more is wanted",
        ),
        pytest.param(
            {
                "namespace": True,
                "quota": {"limits.cpu": ("100", "0")},
                "limits": [{"type": "Container", "default": {"cpu": "2"}}],
            },
            {},
            id="a quota for what the namespace gives to those who have none",
        ),
        pytest.param(
            {
                "namespace": True,
                "limits": [
                    {"type": "Container", "min": {"cpu": "100m"}, "max": {"memory": "1Gi"}},
                    {"type": "Pod", "max": {"memory": "1Mi"}},
                ],
            },
            {},
            id="just within the limits of a container",
        ),
    ],
)
def test_what_is_no_obstacle_is_none(
    kubernetes: dict[str, Any], changed: dict[str, Any], dynamic: Plugin
) -> None:
    with Kubernetes.running(**kubernetes) as api:
        dynamic.create(PreflightProvider(), inputs(PreflightProvider, api.url, **changed))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("services", "etcd"),
        ("services", "etcd-discovery"),
        ("statefulsets", "etcd-seed"),
        ("poddisruptionbudgets", "etcd"),
        ("networkpolicies", "etcd-discovery"),
        ("roles", "etcd"),
    ],
)
def test_what_belongs_to_others_is_not_taken_over(kind: str, name: str, dynamic: Plugin) -> None:
    with Kubernetes.running(namespace=True, objects={kind: (name,)}) as api:
        text = preflight(dynamic, api)
    assert f" {name} of namespace etcd exists and is not of this stack" in text


def test_a_secret_of_others_is_named_with_what_to_do(dynamic: Plugin) -> None:
    """Whatever is in it: here it is no text."""
    asked = "GET /api/v1/namespaces/etcd/secrets/etcd-discovery"
    with Kubernetes.running(namespace=True) as api:
        for labels in ({}, OURS):
            found = {"metadata": {"name": "etcd-discovery", "labels": labels}}
            api.answers[asked] = Reply(200, json.dumps({**found, "data": {"key": "//4A"}}))
            if labels:
                dynamic.create(PreflightProvider(), inputs(PreflightProvider, api.url))
                continue
            text = preflight(dynamic, api)
            assert "Secret etcd-discovery of namespace etcd exists and is not of this stack" in text
            assert "kubectl -n etcd label secret etcd-discovery app.kubernetes.io/name=etcd" in text
        assert [a for a in api.asked if "secrets" in a] == [asked] * 2


def test_objects_of_others_with_other_names_are_none_of_our_business(dynamic: Plugin) -> None:
    others = {"services": ("web",), "statefulsets": ("etcd-backup",), "roles": ("etcd-seed",)}
    with Kubernetes.running(namespace=True, objects=others) as api:
        dynamic.create(PreflightProvider(), inputs(PreflightProvider, api.url))


# ---------------------------------------------------------------- creating


def test_a_namespace_that_is_there_is_taken(dynamic: Plugin, api: Kubernetes) -> None:
    api.answers["POST /api/v1/namespaces"] = Kubernetes.status(409, "exists already")
    api.namespace = True
    props = inputs(NamespaceProvider, api.url)
    assert dynamic.create(NamespaceProvider(), props).outs == props


def test_a_namespace_that_is_being_deleted_is_waited_for_and_made_anew(
    dynamic: Plugin, api: Kubernetes
) -> None:
    make, look = "POST /api/v1/namespaces", "GET /api/v1/namespaces/etcd"
    api.answers[make] = Kubernetes.status(409, "object is being deleted")
    going = {"metadata": {"name": "etcd", "deletionTimestamp": "2026-11-27T03:12:40Z"}}
    api.answers[look] = Reply(200, json.dumps(going), {"Content-Type": "application/json"})
    with ThreadPoolExecutor() as pool:
        done = pool.submit(dynamic.create, NamespaceProvider(), inputs(NamespaceProvider, api.url))
        until("two looks", lambda: api.asked.count(look) >= 2 or done.done())
        assert not done.done()
        api.answers[look] = Kubernetes.status(404, "not found")
        api.answers[make] = Reply(201, json.dumps({"metadata": {"name": "etcd"}}))
        assert done.result(30).id == "etcd"


def test_a_namespace_that_nobody_here_may_make_is_one_clear_error(
    dynamic: Plugin, api: Kubernetes
) -> None:
    api.answers["POST /api/v1/namespaces"] = Kubernetes.status(403, "you may not make one")
    props = inputs(NamespaceProvider, api.url)
    assert "you may not make one" in refused(
        lambda: dynamic.create(NamespaceProvider(), props), dynamic
    )


def test_an_update_keeps_what_it_does_not_compute(dynamic: Plugin, api: Kubernetes) -> None:
    base = "/apis/apps/v1/namespaces/etcd/statefulsets/etcd"
    found = {
        "metadata": {"generation": 2, "annotations": {TEMPLATE_ANNOTATION: "c3d4"}},
        "spec": {"selector": {}, "template": {}, "serviceName": "etcd-peer"},
        "status": {"observedGeneration": 2, "updateRevision": "r2", "replicas": 0},
    }
    api.answers[f"GET {base}"] = Reply(200, json.dumps(found))
    api.answers["GET /api/v1/namespaces/etcd/pods"] = Reply(200, '{"items": []}')
    olds = inputs(RolloutProvider, api.url) | {"once_computed": "kept"}
    news = inputs(RolloutProvider, api.url, template="c3d4")
    outs = dynamic.update(RolloutProvider(), olds, news)
    assert outs["template"] == "c3d4"
    assert outs["once_computed"] == "kept"
    assert outs["proof"] == {}, "no pod, so nothing to restart"

    # What the plugin could not hand on must not be taken for done.
    text = refused(
        lambda: dynamic.update(RolloutProvider(), olds, {**news, "template": "e5f6"}), dynamic
    )
    assert "StatefulSet etcd of namespace etcd has not been given the declared template" in text
    assert text.endswith("Next: pulumi up")
