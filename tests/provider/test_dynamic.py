"""The dynamic providers through the process that Pulumi really runs them in.

What needs a Kubernetes API gets a fake of the few answers that the case is about: errors and
preflight only. What the sequences do to a real cluster is for the end-to-end tests.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc

from components.dynamic.discovery import DiscoveryProvider
from components.dynamic.handover import HandoverProvider
from components.dynamic.namespace import NamespaceProvider
from components.dynamic.preflight import PreflightProvider
from components.dynamic.provider import Sequence
from components.dynamic.scale import ScaleProvider
from tests.support.answers import Reply, closed_port, serving
from tests.support.kubernetes_api import SECRET, Kubernetes, kubeconfig
from tests.support.plugin import Plugin, RefusedError, plugin

SITE = {
    "context": "here",
    "namespace": "etcd",
    "stack": "dev",
    "units": "etcd",
    "seeds": "etcd-seed",
    "discovery": "etcd-discovery",
    "service": "etcd",
    "serving_label": "etcd.pulumi.com/serving",
    "gate": "etcd.pulumi.com/bootstrap",
    "local_url": "http://127.0.0.1:2379",
    "discovery_url": "http://etcd-discovery.etcd.svc.cluster.local:2379",
}

OWN: dict[type[Sequence], dict[str, Any]] = {
    PreflightProvider: {
        "pods": 7,
        "cpu": "1.9",
        "memory": "4831838208",
        "storage_class": "",
        "storage": "20Gi",
        "volumes": 6,
        "seeds": 3,
        "discovery_mode": "inCluster",
        "discovery_url": "",
    },
    NamespaceProvider: {"retain": True},
    ScaleProvider: {"units": 3},
    DiscoveryProvider: {"size": 3, "mode": "inCluster", "url": "", "timeout_seconds": 600},
    HandoverProvider: {"units": 3, "cluster_id": "c1", "timeout_seconds": 600},
}
"""Inputs of each resource beside the site and the kubeconfig."""

COMPUTED: dict[type[Sequence], dict[str, Any]] = {
    DiscoveryProvider: {
        "cluster_id": "c1",
        "origin": "born",
        "token": SECRET,
        "phases": {"pods": 1.25},
    },
    HandoverProvider: {
        "members": [{"name": "etcd-0", "role": "leader"}],
        "revision": 41,
        "receipt": {"consistent": True, "members": ["etcd-0"]},
        "timings": {"receipt": 0.1},
    },
}

ALL = pytest.mark.parametrize("kind", list(OWN), ids=lambda kind: kind.__name__)


def inputs(kind: type[Sequence], api: str = "http://127.0.0.1:1", **changed: Any) -> dict[str, Any]:
    return {"site": SITE, "kubeconfig": kubeconfig(api), **OWN[kind], **changed}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """One process for all tests, as it is one for all resources of an `up`."""
    with plugin(tmp_path_factory.mktemp("plugin")) as running:
        running.configure({"etcd:units": '{"count": 3}'})
        yield running


@pytest.fixture
def dynamic(process: Plugin) -> Plugin:
    """The process, on a new page."""
    process.turn_page()
    return process


@pytest.fixture
def api() -> Iterator[Kubernetes]:
    with Kubernetes.running() as running:
        yield running


def refused(call: Any, process: Plugin) -> str:
    """The one message with which a call fails, after a look at all that people get to see."""
    with pytest.raises(RefusedError) as failure:
        call()
    text = str(failure.value)
    everything = text + process.said()
    for leak in (SECRET, "Traceback", 'File "', "site-packages", "WARNING", "Retrying"):
        assert leak not in everything
    *said, following = text.splitlines()
    assert said, "what happened comes first"
    assert following.startswith("Next: ")
    assert len(following) > len("Next: ")
    return text


# ---------------------------------------------------------------- what stands in users' state

PROMISED = [
    "components.dynamic.preflight.PreflightProvider",
    "components.dynamic.namespace.NamespaceProvider",
    "components.dynamic.scale.ScaleProvider",
    "components.dynamic.discovery.DiscoveryProvider",
    "components.dynamic.handover.HandoverProvider",
]
_SERIALIZE = """
import importlib, sys
from pulumi.dynamic.dynamic import serialize_provider
for path in sys.argv[1:]:
    module, _, name = path.rpartition(".")
    print(serialize_provider(getattr(importlib.import_module(module), name)()))
"""


def test_providers_stand_in_the_state_by_their_promised_names_and_nothing_else() -> None:
    for path in PROMISED:
        module, _, name = path.rpartition(".")
        kind = next(k for k in OWN if (k.__module__, k.__name__) == (module, name))
        pickled = serialize_provider(kind())
        assert len(pickled) < 200, f"{path} is pickled by value"
        raw = base64.b64decode(pickled)
        assert module.encode() in raw
        assert name.encode() in raw
    assert len(PROMISED) == len(OWN)


def test_a_provider_is_the_same_in_every_run() -> None:
    """Otherwise every `up` would update every dynamic resource."""
    found = {
        subprocess.run(
            [sys.executable, "-c", _SERIALIZE, *PROMISED],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert found == {"".join(f"{serialize_provider(kind())}\n" for kind in OWN)}


# ---------------------------------------------------------------- diff, read, delete


@ALL
def test_unchanged_inputs_are_no_change(kind: type[Sequence], dynamic: Plugin) -> None:
    outs = inputs(kind) | COMPUTED.get(kind, {})
    assert dynamic.check(kind(), inputs(kind)) == []
    assert dynamic.diff(kind(), outs, inputs(kind)) == (False, [])


@ALL
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"kubeconfig": "another"}, id="rotated credentials"),
        pytest.param({"timeout_seconds": 30}, id="another deadline"),
    ],
)
def test_how_to_get_there_and_how_long_it_may_take_are_no_change(
    kind: type[Sequence], changed: dict[str, Any], dynamic: Plugin
) -> None:
    outs = inputs(kind) | COMPUTED.get(kind, {})
    assert dynamic.diff(kind(), outs, inputs(kind, **changed)) == (False, [])


DECLARED = [
    pytest.param(PreflightProvider, "pods", 9, id="preflight: more pods"),
    pytest.param(PreflightProvider, "storage_class", "fast", id="preflight: another class"),
    pytest.param(NamespaceProvider, "retain", False, id="namespace: data goes"),
    pytest.param(ScaleProvider, "units", 5, id="scale: more units"),
    pytest.param(HandoverProvider, "units", 5, id="handover: more units"),
    pytest.param(HandoverProvider, "cluster_id", "c2", id="handover: another cluster"),
    pytest.param(HandoverProvider, "cluster_id", rpc.UNKNOWN, id="handover: not born yet"),
]


@pytest.mark.parametrize(("kind", "key", "value"), DECLARED)
def test_a_declared_input_that_changes_is_work_in_place(
    kind: type[Sequence], key: str, value: Any, dynamic: Plugin
) -> None:
    outs = inputs(kind) | COMPUTED.get(kind, {})
    assert dynamic.diff(kind(), outs, inputs(kind, **{key: value})) == (True, [])


@pytest.mark.parametrize(("kind", "key", "value"), DECLARED)
def test_a_declared_input_that_is_removed_is_a_change(
    kind: type[Sequence], key: str, value: Any, dynamic: Plugin
) -> None:
    outs = inputs(kind) | COMPUTED.get(kind, {})
    news = inputs(kind)
    del news[key]
    assert dynamic.diff(kind(), outs, news)[0]


@ALL
def test_another_place_is_a_change(kind: type[Sequence], dynamic: Plugin) -> None:
    outs = inputs(kind) | COMPUTED.get(kind, {})
    changed, replaced = dynamic.diff(
        kind(), outs, inputs(kind, site={**SITE, "namespace": "elsewhere"})
    )
    assert changed
    assert replaced == (["site"] if kind in (NamespaceProvider, ScaleProvider) else [])


@pytest.mark.parametrize(
    ("key", "value"), [("size", 5), ("mode", "v3"), ("url", "http://127.0.0.1:9")]
)
def test_how_a_cluster_was_born_never_matters_again(key: str, value: Any, dynamic: Plugin) -> None:
    outs = inputs(DiscoveryProvider) | COMPUTED[DiscoveryProvider]
    news = inputs(DiscoveryProvider, **{key: value})
    assert dynamic.diff(DiscoveryProvider(), outs, news) == (False, [])


@ALL
def test_a_refresh_asks_nobody_and_keeps_all_outputs(
    kind: type[Sequence], dynamic: Plugin, api: Kubernetes
) -> None:
    outs = inputs(kind, api.url) | COMPUTED.get(kind, {})
    answer = dynamic.read(kind(), "etcd/etcd", outs)
    assert answer.id == "etcd/etcd"
    assert answer.outs == outs
    assert api.asked == []
    assert dynamic.said() == ""


@pytest.mark.parametrize(
    "kind",
    [PreflightProvider, ScaleProvider, DiscoveryProvider, HandoverProvider],
    ids=lambda kind: kind.__name__,
)
def test_a_destroy_needs_no_cluster_that_answers(
    kind: type[Sequence], dynamic: Plugin, api: Kubernetes
) -> None:
    dynamic.delete(kind(), inputs(kind, api.url) | COMPUTED.get(kind, {}))
    assert api.asked == []
    assert dynamic.said() == ""


# ---------------------------------------------------------------- errors


@ALL
def test_an_unreachable_cluster_is_one_clear_error(kind: type[Sequence], dynamic: Plugin) -> None:
    props = inputs(kind, f"http://127.0.0.1:{closed_port()}")
    text = refused(lambda: dynamic.create(kind(), props), dynamic)
    assert "context here does not answer" in text


def test_an_unreachable_cluster_is_one_clear_error_in_an_update_too(dynamic: Plugin) -> None:
    props = inputs(ScaleProvider, f"http://127.0.0.1:{closed_port()}")
    text = refused(lambda: dynamic.update(ScaleProvider(), props, {**props, "units": 5}), dynamic)
    assert "context here does not answer" in text


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
@pytest.mark.parametrize("kind", [PreflightProvider, HandoverProvider], ids=["first", "last"])
def test_a_broken_kubeconfig_is_one_clear_error(
    kind: type[Sequence], text: str, dynamic: Plugin
) -> None:
    refused(lambda: dynamic.create(kind(), inputs(kind, kubeconfig=text)), dynamic)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        pytest.param(kind, code, id=f"{kind.__name__}-{code}")
        for kind in OWN
        for code in (401, 403, 500, 503)
        # A namespace that this user must not make may be there: the preflight has looked.
        if (kind, code) != (NamespaceProvider, 403)
    ],
)
def test_a_refusal_of_kubernetes_is_told_in_its_own_words(
    kind: type[Sequence], code: int, dynamic: Plugin
) -> None:
    with Kubernetes.running(always=Kubernetes.status(code, "so it is decreed")) as api:
        text = refused(lambda: dynamic.create(kind(), inputs(kind, api.url)), dynamic)
    assert "so it is decreed" in text
    assert "context here" in text


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


def test_shrinking_is_refused_before_anything_is_touched(dynamic: Plugin, api: Kubernetes) -> None:
    olds = inputs(ScaleProvider, api.url, units=5)
    text = refused(lambda: dynamic.update(ScaleProvider(), olds, {**olds, "units": 3}), dynamic)
    assert "from 5 to 3" in text
    assert api.asked == []


# ---------------------------------------------------------------- preflight


def preflight(process: Plugin, api: Kubernetes, **changed: Any) -> str:
    props = inputs(PreflightProvider, api.url, **changed)
    return refused(lambda: process.create(PreflightProvider(), props), process)


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
        forbidden={("create", "statefulsets"), ("get", "pods/exec")},
        classes={"slow": False},
        namespace=True,
        quota={"pods": ("5", "1"), "requests.cpu": ("1", "500m"), "requests.storage": ("1Ti", "0")},
    ) as api:
        text = preflight(dynamic, api, storage_class="fast")
    assert "Kubernetes is 1.27+" in text
    assert "create statefulsets, get pods/exec" in text
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
    ],
)
def test_what_is_no_obstacle_is_none(
    kubernetes: dict[str, Any], changed: dict[str, Any], dynamic: Plugin
) -> None:
    with Kubernetes.running(**kubernetes) as api:
        dynamic.create(PreflightProvider(), inputs(PreflightProvider, api.url, **changed))


# ---------------------------------------------------------------- a discovery service that is none

NO_TOKEN = [
    pytest.param(Reply(503, "<html>sorry</html>"), "503", id="503"),
    pytest.param(Reply(200, "<html>Welcome</html>"), "<html>Welcome</html>", id="HTML"),
    pytest.param(Reply(200, ""), "'nothing'", id="nothing"),
    pytest.param(Reply(closes=True), "does not answer", id="a closed connection"),
]


@pytest.mark.parametrize(("reply", "expected"), NO_TOKEN)
def test_a_broken_discovery_service_is_told_before_anything_is_touched(
    reply: Reply, expected: str, dynamic: Plugin, api: Kubernetes
) -> None:
    with serving(reply) as service:
        text = preflight(dynamic, api, discovery_mode="v2", discovery_url=f"{service.url}/new")
    assert expected in text
    assert "/new?size=3" in text
    assert service.asked == ["GET /new?size=3"]


@pytest.mark.parametrize(("reply", "expected"), NO_TOKEN)
def test_a_discovery_service_that_breaks_later_starts_no_seed(
    reply: Reply, expected: str, dynamic: Plugin, api: Kubernetes
) -> None:
    with serving(reply) as service:
        props = inputs(DiscoveryProvider, api.url, mode="v2", url=f"{service.url}/new")
        text = refused(lambda: dynamic.create(DiscoveryProvider(), props), dynamic)
    assert expected in text
    assert all(a.startswith("GET ") for a in api.asked)


def test_a_slow_discovery_service_is_given_up(dynamic: Plugin, api: Kubernetes) -> None:
    with ExitStack() as stack:
        never = threading.Event()
        service = stack.enter_context(serving(Reply(after=never)))
        stack.callback(never.set)
        text = preflight(dynamic, api, discovery_mode="v2", discovery_url=f"{service.url}/new")
    assert "does not answer" in text
    assert "timed out" in text


# ---------------------------------------------------------------- creating


def test_a_namespace_that_is_there_is_taken(dynamic: Plugin, api: Kubernetes) -> None:
    api.answers["POST /api/v1/namespaces"] = Kubernetes.status(409, "exists already")
    props = inputs(NamespaceProvider, api.url)
    assert dynamic.create(NamespaceProvider(), props).outs == props


def test_an_update_keeps_what_it_does_not_compute(dynamic: Plugin, api: Kubernetes) -> None:
    path = "PATCH /apis/apps/v1/namespaces/etcd/statefulsets/etcd/scale"
    api.answers[path] = Reply(200, '{"kind": "Scale", "spec": {"replicas": 5}}')
    olds = inputs(ScaleProvider, api.url) | {"once_computed": "kept"}
    outs = dynamic.update(ScaleProvider(), olds, inputs(ScaleProvider, api.url, units=5))
    assert outs["units"] == 5
    assert outs["once_computed"] == "kept"
    assert path in api.asked


def test_every_provider_of_the_project_is_judged_here() -> None:
    def below(kind: type[ResourceProvider]) -> set[type[ResourceProvider]]:
        direct = set(kind.__subclasses__())
        return direct.union(*(below(k) for k in direct))

    assert below(Sequence) == set(OWN)
