"""A destroy of a stack whose data is to be kept: in the middle of a handover, and right after.

The Kubernetes API is a fake; on a real one: tests/e2e/test_retained.py.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from components.birth import whole
from components.dynamic.start import StartProvider
from components.progress import SequenceError
from components.site import Site
from tests.support.answers import Reply
from tests.support.dynamic import SITE, inputs, refused
from tests.support.kubernetes_api import Kubernetes, kubeconfig
from tests.support.plugin import Plugin

SECRET = "GET /api/v1/namespaces/etcd/secrets/etcd-discovery"
UNITS = "GET /apis/apps/v1/namespaces/etcd/statefulsets/etcd"
CLAIMS = "GET /api/v1/namespaces/etcd/persistentvolumeclaims"
NOTED = {"accepted": "claim-1 claim-2 claim-3"}


UID = "of-the-units"


def secret(data: dict[str, str], *, ours: bool = True) -> Reply:
    labels = Site(**SITE).identity if ours else {}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    body = {"metadata": {"name": "etcd-discovery", "labels": labels}, "data": encoded}
    return Reply(200, json.dumps(body))


def units(policy: str | None) -> Reply:
    retention = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy}} if policy else {}
    spec = {"selector": {}, "template": {}, "serviceName": "etcd-peer", **retention}
    return Reply(200, json.dumps({"metadata": {"name": "etcd", "uid": UID}, "spec": spec}))


def test_half_a_cluster_is_not_kept(dynamic: Plugin) -> None:
    with Kubernetes.running(namespace=True, units=3) as api:
        api.answers |= {SECRET: secret(NOTED), UNITS: units("Retain")}
        props = inputs(StartProvider, api.url)
        text = refused(lambda: dynamic.delete(StartProvider(), props), dynamic)
        assert all(asked.startswith("GET ") for asked in api.asked)
    assert "the seeds hold what clients have written, and go with a destroy" in text
    claims = "data-etcd-0 data-etcd-1 data-etcd-2"
    assert (
        f"kubectl --context here -n etcd delete --wait=false pvc {claims}; then pulumi destroy"
        in text
    )


@pytest.mark.parametrize(
    ("found", "answers"),
    [
        pytest.param({}, {SECRET: Kubernetes.missed(SECRET)}, id="the handover is done"),
        pytest.param({}, {SECRET: secret({"token": "t"})}, id="nothing was born"),
        pytest.param({}, {SECRET: secret(NOTED, ours=False)}, id="somebody else's Secret"),
        pytest.param({}, {UNITS: units("Delete")}, id="nothing is to be kept"),
        pytest.param({}, {UNITS: units(None)}, id="there are no volumes"),
        pytest.param({}, {UNITS: Kubernetes.missed(UNITS)}, id="there are no units"),
        pytest.param({"ending": True}, {}, id="the volumes go, too"),
        pytest.param({"units": 0}, {}, id="they are gone"),
    ],
)
def test_a_destroy_that_keeps_a_whole_cluster_or_nothing_goes_on(
    found: dict[str, Any], answers: dict[str, Reply], dynamic: Plugin
) -> None:
    with Kubernetes.running(namespace=True, **{"units": 3, **found}) as api:
        api.answers |= {SECRET: secret(NOTED), UNITS: units("Retain"), **answers}
        dynamic.delete(StartProvider(), inputs(StartProvider, api.url))


def test_a_cluster_that_refuses_to_say_is_not_passed_over(dynamic: Plugin) -> None:
    with Kubernetes.running(always=Kubernetes.status(403, "you may not look")) as api:
        props = inputs(StartProvider, api.url)
        assert "you may not look" in refused(
            lambda: dynamic.delete(StartProvider(), props), dynamic
        )


# ---------------------------------------------------------------- just told to keep them


def claims(*owners: str | None) -> Reply:
    """One for each unit; by the unique ID of its owner."""
    metadata = [
        {
            "name": f"data-etcd-{ordinal}",
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "etcd", "uid": owner}
            ]
            if owner
            else None,
        }
        for ordinal, owner in enumerate(owners)
    ]
    return Reply(200, json.dumps({"items": [{"metadata": each} for each in metadata]}))


def destroyed(*found: Reply, policy: str = "Retain") -> int:
    """Returns how often the claims were looked at, of which the last answer is repeated."""
    left = list(found)
    with Kubernetes.running(namespace=True) as api:
        api.answers |= {
            SECRET: Kubernetes.missed(SECRET),
            UNITS: units(policy),
            CLAIMS: lambda: left.pop(0) if len(left) > 1 else left[0],
        }
        whole.require_whole(Site(**SITE), kubeconfig(api.url))
        assert all(asked.startswith("GET ") for asked in api.asked)
        return api.asked.count(CLAIMS)


def test_volumes_that_are_to_be_kept_are_let_go_of_before_their_statefulset_goes() -> None:
    """A destroy right after the `up` that applies it: Kubernetes would delete them."""
    assert destroyed(claims(UID, UID), claims(None, UID), claims(None, None)) == 3


def test_volumes_that_would_go_all_the_same_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "STAY_SECONDS", 0)
    with pytest.raises(SequenceError, match="StatefulSet etcd owns data-etcd-1") as failure:
        destroyed(claims(None, UID))
    assert failure.value.next_step == (
        "kubectl --context here -n etcd patch pvc data-etcd-1 --type=merge -p "
        '\'{"metadata": {"ownerReferences": null}}\', then pulumi destroy'
    )


@pytest.mark.parametrize(
    ("found", "policy", "looks"),
    [
        pytest.param(claims(None, None), "Retain", 1, id="nobody's"),
        pytest.param(claims("of-another"), "Retain", 1, id="of a StatefulSet that is gone"),
        pytest.param(claims(UID), "Delete", 0, id="they are to go"),
    ],
)
def test_no_other_volume_holds_a_destroy_up(found: Reply, policy: str, looks: int) -> None:
    assert destroyed(found, policy=policy) == looks


def test_who_falls_silent_while_volumes_would_go_is_not_passed_over() -> None:
    with pytest.raises(SequenceError, match="Kubernetes refuses"):
        destroyed(claims(UID), Kubernetes.status(403, "no more"))
