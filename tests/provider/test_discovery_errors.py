"""A discovery service that is none: told before anything is touched, and asked at a birth alone.

The Kubernetes API is a fake, and so are the services: a real one is not to be had broken in so many
ways. One that never answers takes its time, and is in tests/unit/test_tokens.py.
"""

from __future__ import annotations

import pytest

from components.dynamic.discovery import DiscoveryProvider
from components.dynamic.preflight import PreflightProvider
from tests.support.answers import Reply, serving
from tests.support.dynamic import inputs, preflight, refused
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin
from tests.support.ports import free_port

HTML = "<html>Welcome</html>"
NO_TOKEN = [
    pytest.param(Reply(503, "<html>sorry</html>"), "answered 503", id="503"),
    pytest.param(Reply(200, HTML), f"answered with '{HTML}'", id="HTML"),
    pytest.param(Reply(200, ""), "answered with 'nothing'", id="nothing"),
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


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(503, "busy"), id="503"),
        pytest.param(Reply(body="<html>Welcome</html>"), id="HTML"),
        pytest.param(Reply(body="{}"), id="JSON of something else"),
        pytest.param(Reply(body=""), id="nothing"),
    ],
)
def test_a_v3_endpoint_that_is_no_etcd_is_told_before_anything_is_touched(
    reply: Reply, dynamic: Plugin, api: Kubernetes
) -> None:
    etcd = Reply(body='{"etcdserver":"3.6.14","etcdcluster":"3.6.0"}')
    with serving(etcd) as good, serving(reply) as bad:
        urls = f"{good.url},{bad.url}"
        text = preflight(dynamic, api, discovery_mode="v3", discovery_url=urls)
        assert f"{bad.url} is no etcd" in text
        answer = dynamic.create(
            PreflightProvider(),
            inputs(PreflightProvider, api.url, discovery_mode="v3", discovery_url=good.url),
        )
        assert answer.id
        assert good.asked == ["GET /version"] * 2


def test_a_v3_endpoint_that_only_pods_can_reach_is_no_obstacle(
    dynamic: Plugin, api: Kubernetes
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    props = inputs(PreflightProvider, api.url, discovery_mode="v3", discovery_url=url)
    assert dynamic.create(PreflightProvider(), props).outs == props


FIXED = {
    "storage.kind": "persistent",
    "storage.size": "20Gi",
    "kubernetes.clusterDomain": "cluster.local",
    "etcd.peerPort": "2380",
}
"""What is compared with volumes on which a cluster was kept."""


@pytest.mark.parametrize("mode", ["v2", "v3"])
def test_a_cluster_that_was_kept_comes_back_without_the_discovery_service(
    mode: str, dynamic: Plugin
) -> None:
    """No seed runs then. And a token is not taken for nothing, where the service has one."""
    with serving(Reply(503, "gone")) as service:
        asked = {"discovery_mode": mode, "discovery_url": f"{service.url}/new", "fixed": FIXED}
        with Kubernetes.running(namespace=True, units=3, kept="1f") as api:
            dynamic.create(PreflightProvider(), inputs(PreflightProvider, api.url, **asked))
        assert service.asked == []
        for kept in ({"kept": ""}, {"kept": "1f", "ending": True}, {"namespace": False}):
            there = {"namespace": True, "units": 3, **kept}
            with Kubernetes.running(**there) as api:
                assert "503" in preflight(dynamic, api, **asked)


def test_a_discovery_service_is_not_asked_any_more_when_the_cluster_grows(
    dynamic: Plugin, api: Kubernetes
) -> None:
    with serving(Reply(503, "gone")) as service:
        olds = inputs(
            PreflightProvider, api.url, discovery_mode="v2", discovery_url=f"{service.url}/new"
        )
        dynamic.update(PreflightProvider(), olds, {**olds, "pods": 12})
    assert service.asked == []
    assert api.asked, "the growth itself is looked at"
