"""What stands in the way of an `up`, told before anything is touched.

The Kubernetes API is a fake of the few answers that each case is about: a real one is not to be had
short of so many things.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.dynamic.preflight import PreflightProvider
from components.member_rights import rules
from components.preflight.checks import NEEDED
from components.site import Site
from tests.support.answers import Reply
from tests.support.dynamic import SITE, inputs, preflight
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin

OURS = Site(**SITE).identity
"""Labels of what belongs to the stack."""
GRANT = "POST /apis/rbac.authorization.k8s.io/v1/namespaces/etcd/roles"
ROLE = "GET /apis/rbac.authorization.k8s.io/v1/namespaces/etcd/roles/etcd"
HELD = Reply(200, json.dumps({"metadata": {"name": "etcd"}, "rules": []}))
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


@pytest.mark.parametrize(
    ("kubernetes", "questions"),
    [
        pytest.param({"namespace": True}, 1, id="everything"),
        pytest.param({}, 2, id="everything, and there is no namespace yet"),
        pytest.param(
            {"namespace": True, "forbidden": {("delete", "nodes")}},
            1 + len(NEEDED),
            id="not everything, but all that is needed",
        ),
    ],
)
def test_who_may_do_everything_is_asked_that_alone(
    dynamic: Plugin, kubernetes: dict[str, Any], questions: int
) -> None:
    with Kubernetes.running(**kubernetes) as api:
        dynamic.create(PreflightProvider(), inputs(PreflightProvider, api.url))
    assert sum(a.endswith("selfsubjectaccessreviews") for a in api.asked) == questions


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
            {"forbidden": {("create", "pods/eviction")}},
            {},
            "create pods/eviction",
            id="may not ask the budget for a restart",
        ),
        pytest.param(
            {"forbidden": {("create", "statefulsets"), ("get", "pods/exec")}, "namespace": True},
            {},
            "create statefulsets, get pods/exec",
            id="two rights are missing",
        ),
        pytest.param(
            {"grants": False, "namespace": True},
            {},
            "is attempting to grant RBAC permissions not currently held: "
            f"{rules('etcd')}. Let an admin grant that by RBAC, to this user or its group: "
            "kubectl --context here -n etcd create rolebinding pulumi-etcd --clusterrole=view "
            "--user=USER",
            id="whoever is authorised by a webhook may make Roles, and grant nothing",
        ),
        pytest.param(
            {"nodes": ["arm64", "arm64"]},
            {},
            "etcd:image.platform is linux/amd64, so pods select nodes with kubernetes.io/arch="
            "amd64; the nodes of this Kubernetes have: arm64. "
            "Set it: pulumi config set --path etcd:image.platform linux/arm64",
            id="an image for other processors",
        ),
        pytest.param(
            {"nodes": ["s390x", "ppc64le"]},
            {},
            "kubernetes.io/arch=amd64; the nodes of this Kubernetes have: ppc64le, s390x\n",
            id="processors for which there is no image",
        ),
        pytest.param({"classes": {}}, {}, "classes: none", id="no storage class at all"),
        pytest.param(
            {"classes": {"slow": False}}, {}, "no default class", id="no default storage class"
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
        pytest.param(
            {"namespace": True, "units": 3},
            {"storage": "40Gi"},
            "kubectl --context here -n etcd delete pvc data-etcd-0 data-etcd-1 data-etcd-2",
            id="volumes that are too small are left of an up that came to no cluster",
        ),
    ],
)
def test_an_obstacle_is_told_before_anything_is_touched(
    kubernetes: dict[str, Any], changed: dict[str, Any], expected: str, dynamic: Plugin
) -> None:
    with Kubernetes.running(**kubernetes) as api:
        assert expected in preflight(dynamic, api, **changed)
        assert not api.touched


@pytest.mark.parametrize(
    ("kubernetes", "changed"),
    [
        pytest.param({"grants": False}, {}, id="no namespace yet: what one may grant is not known"),
        pytest.param(
            {"grants": False, "namespace": True, "answers": {ROLE: HELD}},
            {},
            id="the Role is there: nobody has to grant it",
        ),
        pytest.param(
            {"namespace": True, "answers": {GRANT: Kubernetes.status(400, "takes no dry run")}},
            {},
            id="a webhook takes no dry run: nothing is known",
        ),
        pytest.param({"nodes": ["arm64", "amd64"]}, {}, id="one node of the image's kind"),
        pytest.param({"nodes": []}, {}, id="no node yet: an autoscaler may bring it"),
        pytest.param({"nodes": ["arm64"]}, {"arch": ""}, id="pods go to any node"),
        pytest.param(
            {"answers": {"GET /api/v1/nodes": Kubernetes.status(403, "you may not look")}},
            {},
            id="nobody may look at nodes",
        ),
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
            {"namespace": True, "units": 3},
            {"fixed": FIXED},
            id="volumes of that size are left of an up that came to no cluster",
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
            command = "kubectl --context here -n etcd label secret etcd-discovery"
            assert f"{command} app.kubernetes.io/name=etcd" in text
        assert [a for a in api.asked if "secrets" in a] == [asked] * 2


NAMED = {"pull_secrets": ["registry-login"]}
LOGIN = "GET /api/v1/namespaces/etcd/secrets/registry-login"
MAKE_IT = (
    "kubectl --context here -n etcd create secret docker-registry registry-login "
    "--docker-server=HOST --docker-username=USER --docker-password=PASSWORD"
)


def _login(kind: str) -> Reply:
    return Reply(200, json.dumps({"metadata": {"name": "registry-login"}, "type": kind}))


@pytest.mark.parametrize(
    ("kubernetes", "told"),
    [
        pytest.param(
            {},
            f"Make it first, kubectl --context here create namespace etcd, and in it: {MAKE_IT}",
            id="no namespace yet",
        ),
        pytest.param({"namespace": True}, f"is not there. Make it: {MAKE_IT}", id="no Secret"),
        pytest.param(
            {"namespace": True, "answers": {LOGIN: _login("Opaque")}},
            "is of type Opaque, which cannot be changed; allowed: kubernetes.io/dockerconfigjson, "
            "kubernetes.io/dockercfg. Make it anew: kubectl --context here -n etcd delete secret "
            f"registry-login, then {MAKE_IT}",
            id="a Secret that no kubelet looks at",
        ),
    ],
)
def test_a_pull_secret_that_cannot_serve_is_told(
    kubernetes: dict[str, Any], told: str, dynamic: Plugin
) -> None:
    with Kubernetes.running(**kubernetes) as api:
        text = preflight(dynamic, api, **NAMED)
        assert told in text
        assert "registry-login" in text
        assert not api.touched


@pytest.mark.parametrize("kind", ["kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"])
def test_a_pull_secret_of_either_kind_is_none_of_the_stacks_business(
    kind: str, dynamic: Plugin
) -> None:
    with Kubernetes.running(namespace=True, answers={LOGIN: _login(kind)}) as api:
        dynamic.create(PreflightProvider(), inputs(PreflightProvider, api.url, **NAMED))


def test_objects_of_others_with_other_names_are_none_of_our_business(dynamic: Plugin) -> None:
    others = {"services": ("web",), "statefulsets": ("etcd-backup",), "roles": ("etcd-seed",)}
    with Kubernetes.running(namespace=True, objects=others) as api:
        dynamic.create(PreflightProvider(), inputs(PreflightProvider, api.url))
