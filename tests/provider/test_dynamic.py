"""The dynamic providers through the process that Pulumi really runs them in: what is in the state.

What the sequences do to a real cluster is for the end-to-end tests.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc

from components.dynamic.address import AddressProvider
from components.dynamic.discovery import DiscoveryProvider
from components.dynamic.handover import HandoverProvider
from components.dynamic.namespace import NamespaceProvider
from components.dynamic.preflight import PreflightProvider
from components.dynamic.protection import ProtectionProvider
from components.dynamic.provider import DynamicProvider
from components.dynamic.requirements import RequirementsProvider
from components.dynamic.rollout import RolloutProvider
from components.dynamic.scale import ScaleProvider
from components.dynamic.start import StartProvider
from components.names import TEMPLATE_ANNOTATION
from tests.support.answers import Reply
from tests.support.dynamic import ALL, COMPUTED, OWN, SITE, inputs, refused
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin
from tests.support.ports import free_port

# ---------------------------------------------------------------- what stands in users' state

PROMISED = [
    "components.dynamic.preflight.PreflightProvider",
    "components.dynamic.namespace.NamespaceProvider",
    "components.dynamic.start.StartProvider",
    "components.dynamic.discovery.DiscoveryProvider",
    "components.dynamic.handover.HandoverProvider",
    "components.dynamic.scale.ScaleProvider",
    "components.dynamic.rollout.RolloutProvider",
    "components.dynamic.address.AddressProvider",
    "components.dynamic.requirements.RequirementsProvider",
    "components.dynamic.protection.ProtectionProvider",
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
def test_unchanged_inputs_are_no_change(kind: type[DynamicProvider], dynamic: Plugin) -> None:
    outs = inputs(kind) | COMPUTED.get(kind, {})
    assert dynamic.check(kind(), inputs(kind), inputs(kind)) == []
    assert dynamic.diff(kind(), outs, inputs(kind)) == (False, [])


AT_THE_END = [NamespaceProvider, StartProvider]
"""Those that ask the cluster in a destroy: they must have the way there as it is now."""


@ALL
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"timeout_seconds": 30}, id="another deadline"),
        pytest.param({"site": {**SITE, "local_url": "https://127.0.0.1:2379"}}, id="addresses"),
    ],
)
def test_how_to_get_there_and_how_long_it_may_take_are_no_change(
    kind: type[DynamicProvider], changed: dict[str, Any], dynamic: Plugin
) -> None:
    outs = inputs(kind) | COMPUTED.get(kind, {})
    noted = kind in AT_THE_END and "site" in changed
    assert dynamic.diff(kind(), outs, inputs(kind, **changed)) == (noted, [])


@ALL
def test_rotated_credentials_are_noted_where_a_destroy_needs_them_and_touch_nothing_else(
    kind: type[DynamicProvider], dynamic: Plugin
) -> None:
    outs = inputs(kind) | COMPUTED.get(kind, {})
    changed = dynamic.diff(kind(), outs, inputs(kind, kubeconfig="rotated"))
    assert changed == (kind in AT_THE_END, [])


@pytest.mark.parametrize("kind", AT_THE_END)
def test_another_text_of_the_kubeconfig_changes_nothing_in_the_cluster(
    kind: type[DynamicProvider], dynamic: Plugin
) -> None:
    """As where several people, or CI, work on one stack (README), each with one of their own."""
    with Kubernetes.running(namespace=True) as api:
        news = inputs(kind, api.url)
        outs = dynamic.update(kind(), inputs(kind, kubeconfig="another's"), news)
        assert outs["kubeconfig"] == news["kubeconfig"]
        assert [a for a in api.asked if not a.startswith("GET ") and "dryRun=All" not in a] == []


DECLARED = [
    pytest.param(PreflightProvider, "pods", 9, id="preflight: more pods"),
    pytest.param(PreflightProvider, "cpu", "1.95", id="preflight: more of a processor"),
    pytest.param(PreflightProvider, "memory", "14831838208", id="preflight: more memory"),
    pytest.param(PreflightProvider, "storage_class", "fast", id="preflight: another class"),
    pytest.param(NamespaceProvider, "retain", False, id="namespace: data goes"),
    pytest.param(ScaleProvider, "units", 5, id="scale: more units"),
    pytest.param(ScaleProvider, "units", 1, id="scale: fewer units"),
    pytest.param(RolloutProvider, "template", "c3d4", id="rollout: another template"),
    pytest.param(HandoverProvider, "cluster_id", "c2", id="handover: another cluster"),
    pytest.param(HandoverProvider, "cluster_id", rpc.UNKNOWN, id="handover: not born yet"),
    pytest.param(AddressProvider, "service_uid", "the-second", id="address: another Service"),
    pytest.param(RequirementsProvider, "apis", ["iam.googleapis.com"], id="requirements: an API"),
    pytest.param(ProtectionProvider, "protected", True, id="protection: it may not go"),
]


@pytest.mark.parametrize(("kind", "key", "value"), DECLARED)
def test_a_declared_input_that_changes_is_work_in_place(
    kind: type[DynamicProvider], key: str, value: Any, dynamic: Plugin
) -> None:
    outs = inputs(kind) | COMPUTED.get(kind, {})
    assert dynamic.diff(kind(), outs, inputs(kind, **{key: value})) == (True, [])


LESS: dict[str, Any] = {
    **{"pods": 5, "cpu": "0.9", "memory": "2684354560", "volumes": 4},
    **{"unit_pods": 1, "unit_cpu": "0.5", "unit_memory": "1073741824", "unit_volumes": 1},
}


@pytest.mark.parametrize("key", LESS)
def test_that_less_is_wanted_is_noted_without_asking(key: str, dynamic: Plugin) -> None:
    many, few = inputs(PreflightProvider), inputs(PreflightProvider, **{key: LESS[key]})
    assert dynamic.diff(PreflightProvider(), many, few) == (True, [])
    # Nobody answers at this address.
    assert dynamic.update(PreflightProvider(), many, few) == few


@pytest.mark.parametrize("key", LESS)
def test_that_as_much_as_once_before_is_wanted_again_is_asked(key: str, dynamic: Plugin) -> None:
    few = inputs(PreflightProvider, **{key: LESS[key]})
    again = inputs(PreflightProvider, **(LESS | {key: OWN[PreflightProvider][key]}))
    assert dynamic.diff(PreflightProvider(), few, again) == (True, [])
    refused(lambda: dynamic.update(PreflightProvider(), few, again), dynamic)


def test_that_less_of_another_class_is_wanted_is_asked(dynamic: Plugin) -> None:
    news = inputs(PreflightProvider, **LESS, storage_class="fast")
    refused(lambda: dynamic.update(PreflightProvider(), inputs(PreflightProvider), news), dynamic)


@pytest.mark.parametrize(("kind", "key", "value"), DECLARED)
def test_a_declared_input_that_is_removed_is_a_change(
    kind: type[DynamicProvider], key: str, value: Any, dynamic: Plugin
) -> None:
    outs = inputs(kind) | COMPUTED.get(kind, {})
    news = inputs(kind)
    del news[key]
    assert dynamic.diff(kind(), outs, news)[0]


def test_a_smaller_quota_is_work_like_any_other_where_nobody_can_be_asked(dynamic: Plugin) -> None:
    many = inputs(PreflightProvider, quota={"bytes": 784334848, "memory": "2047Mi"})
    few = inputs(PreflightProvider, **LESS, quota={"bytes": 301989888, "memory": "1Gi"})
    assert dynamic.diff(PreflightProvider(), many, few) == (True, [])
    assert "whether the database fits into a smaller quota is not known" in dynamic.said()
    dynamic.turn_page()
    unknown = {**few, "kubeconfig": rpc.UNKNOWN}
    assert dynamic.diff(PreflightProvider(), many, unknown) == (True, [])
    assert dynamic.said() == ""


def test_what_makes_another_cluster_is_refused_in_preview(dynamic: Plugin) -> None:
    olds = inputs(PreflightProvider)
    news = inputs(PreflightProvider, fixed={"etcd.name": "kv", "storage.size": "20Gi"})
    (failure,) = dynamic.check(PreflightProvider(), news, olds)
    assert "etcd:etcd.name goes from etcd to kv" in failure
    assert "storage.size" not in failure
    following = failure.splitlines()[-1]
    assert following.startswith("Next: ")
    assert following.endswith("; or, if no etcd cluster was born yet, pulumi destroy, pulumi up)")
    assert dynamic.check(PreflightProvider(), news) == [], "no cluster yet: all is open"


@pytest.mark.parametrize(
    ("found", "drifted"),
    [
        pytest.param(5, True, id="scaled up by hand"),
        pytest.param(1, True, id="scaled down by hand"),
        pytest.param(3, False, id="as configured"),
        pytest.param(rpc.UNKNOWN, False, id="not known in this preview"),
    ],
)
def test_a_scale_by_hand_is_noticed_and_undone(found: Any, drifted: bool, dynamic: Plugin) -> None:
    outs = inputs(ScaleProvider) | COMPUTED[ScaleProvider]
    assert dynamic.diff(ScaleProvider(), outs, inputs(ScaleProvider, found=found)) == (drifted, [])


@pytest.mark.parametrize(
    ("kind", "unfinished", "work"),
    [
        pytest.param(ScaleProvider, ["scale"], True, id="scale: its own"),
        pytest.param(ScaleProvider, ["rollout", "scale"], True, id="scale: both"),
        # It would wait for units that the rolling change is there to mend.
        pytest.param(ScaleProvider, ["rollout"], False, id="scale: the other"),
        pytest.param(RolloutProvider, ["rollout"], True, id="rollout: its own"),
        # What came up meanwhile may run with a template that was taken back.
        pytest.param(RolloutProvider, ["scale"], True, id="rollout: the other"),
        pytest.param(ScaleProvider, rpc.UNKNOWN, False, id="scale: not known in this preview"),
        pytest.param(RolloutProvider, rpc.UNKNOWN, False, id="rollout: not known"),
    ],
)
def test_what_was_cut_off_is_work_though_the_config_was_set_back(
    kind: type[DynamicProvider], unfinished: Any, work: bool, dynamic: Plugin
) -> None:
    outs = inputs(kind) | COMPUTED[kind]
    assert dynamic.diff(kind(), outs, inputs(kind, unfinished=unfinished)) == (work, [])
    shown = "left unfinished by an earlier up: no steps to show"
    assert (shown in dynamic.said()) is work


@pytest.mark.parametrize("kind", [ScaleProvider, RolloutProvider])
def test_a_state_of_before_the_notes_is_no_work(
    kind: type[DynamicProvider], dynamic: Plugin
) -> None:
    outs = inputs(kind) | COMPUTED[kind]
    del outs["unfinished"]
    assert dynamic.diff(kind(), outs, inputs(kind)) == (False, [])


def test_the_count_is_of_no_concern_to_the_handover_once_it_is_done(dynamic: Plugin) -> None:
    outs = inputs(HandoverProvider) | COMPUTED[HandoverProvider]
    assert dynamic.diff(HandoverProvider(), outs, inputs(HandoverProvider, units=5)) == (False, [])


@pytest.mark.parametrize(
    ("key", "value"), [("size", 5), ("mode", "v3"), ("url", "http://127.0.0.1:9")]
)
def test_how_a_cluster_was_born_never_matters_again(key: str, value: Any, dynamic: Plugin) -> None:
    outs = inputs(DiscoveryProvider) | COMPUTED[DiscoveryProvider]
    news = inputs(DiscoveryProvider, **{key: value})
    assert dynamic.diff(DiscoveryProvider(), outs, news) == (False, [])


@pytest.mark.parametrize(
    "kind",
    [kind for kind in OWN if kind is not NamespaceProvider],
    ids=lambda kind: kind.__name__,
)
def test_a_refresh_asks_nobody_and_keeps_all_outputs(
    kind: type[DynamicProvider], dynamic: Plugin, api: Kubernetes
) -> None:
    outs = inputs(kind, api.url) | COMPUTED.get(kind, {})
    answer = dynamic.read(kind(), "etcd/etcd", outs)
    assert answer.id == "etcd/etcd"
    assert answer.outs == outs
    assert api.asked == []
    assert dynamic.said() == ""


@pytest.mark.parametrize(
    "kind",
    [kind for kind in OWN if kind is not NamespaceProvider],
    ids=lambda kind: kind.__name__,
)
def test_a_destroy_needs_no_cluster_that_answers(
    kind: type[DynamicProvider], dynamic: Plugin, api: Kubernetes
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    dynamic.delete(kind(), inputs(kind, nobody) | COMPUTED.get(kind, {}))
    if kind is not StartProvider:  # tests/provider/test_whole.py
        dynamic.delete(kind(), inputs(kind, api.url) | COMPUTED.get(kind, {}))
    assert api.asked == []
    assert dynamic.said() == ""


def test_a_first_scale_asks_for_the_count_and_for_nothing_else(
    dynamic: Plugin, api: Kubernetes
) -> None:
    """The handover before it has just brought it."""
    question = "GET /apis/apps/v1/namespaces/etcd/statefulsets/etcd"
    found = {
        "metadata": {"name": "etcd"},
        "spec": {"replicas": 3, "selector": {}, "template": {}, "serviceName": "etcd-peer"},
    }
    api.answers[question] = Reply(200, json.dumps(found))
    props = inputs(ScaleProvider, api.url)
    assert dynamic.create(ScaleProvider(), props).outs == {**props, "proof": {}}
    assert api.asked == [question]


def _running(ordinal: int, *, revision: str) -> dict[str, Any]:
    """A unit's pod that is ready."""
    since = "2026-11-27T03:12:40Z"
    container: dict[str, Any] = {
        **{"name": "etcd", "ready": True, "restartCount": 0, "image": "etcd", "imageID": "x"},
        "state": {"running": {"startedAt": since}},
    }
    return {
        "metadata": {
            "name": f"etcd-{ordinal}",
            "labels": {"controller-revision-hash": revision},
        },
        "spec": {"containers": [{"name": "etcd"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since}],
            "containerStatuses": [container],
        },
    }


def test_an_update_keeps_what_it_does_not_compute(dynamic: Plugin, api: Kubernetes) -> None:
    base = "/apis/apps/v1/namespaces/etcd/statefulsets/etcd"
    found = {
        "metadata": {"generation": 2, "annotations": {TEMPLATE_ANNOTATION: "c3d4"}},
        "spec": {"selector": {}, "template": {}, "serviceName": "etcd-peer"},
        "status": {"observedGeneration": 2, "updateRevision": "r2", "replicas": 0},
    }
    api.answers[f"GET {base}"] = Reply(200, json.dumps(found))
    pods = {"items": [_running(ordinal, revision="r2") for ordinal in range(3)]}
    api.answers["GET /api/v1/namespaces/etcd/pods"] = Reply(200, json.dumps(pods))
    olds = inputs(RolloutProvider, api.url) | {"once_computed": "kept"}
    news = inputs(RolloutProvider, api.url, template="c3d4")
    outs = dynamic.update(RolloutProvider(), olds, news)
    assert outs["template"] == "c3d4"
    assert outs["once_computed"] == "kept"
    assert outs["proof"] == {}, "all run with it, so nothing to restart"

    # What the plugin could not hand on must not be taken for done.
    text = refused(
        lambda: dynamic.update(RolloutProvider(), olds, {**news, "template": "e5f6"}), dynamic
    )
    assert "StatefulSet etcd of namespace etcd has not been given the declared template" in text
    assert text.endswith("Next: pulumi up")


@pytest.mark.parametrize(
    ("there", "scaled"),
    [
        pytest.param(1, True, id="as it was declared"),
        pytest.param(0, True, id="at rest"),
        pytest.param(3, False, id="as many as wanted"),
        pytest.param(5, False, id="more, of a destroy that was cut off: they may be voters"),
    ],
)
def test_a_start_never_ends_a_unit(
    there: int, scaled: bool, dynamic: Plugin, api: Kubernetes
) -> None:
    """The handover, which comes after it, takes surplus units out one by one."""
    base = "/apis/apps/v1/namespaces/etcd/statefulsets/etcd"
    spec = {"replicas": there, "selector": {}, "template": {}, "serviceName": "etcd-peer"}
    api.answers[f"GET {base}"] = Reply(200, json.dumps({"metadata": {}, "spec": spec}))
    api.answers[f"PATCH {base}/scale"] = Reply(200, json.dumps({"spec": {"replicas": 3}}))
    dynamic.create(StartProvider(), inputs(StartProvider, api.url))
    assert (f"PATCH {base}/scale" in [asked.partition("?")[0] for asked in api.asked]) is scaled


def test_every_provider_of_the_project_is_judged_here() -> None:
    def below(kind: type[ResourceProvider]) -> set[type[ResourceProvider]]:
        direct = set(kind.__subclasses__())
        return direct.union(*(below(k) for k in direct))

    assert below(DynamicProvider) == set(OWN)
