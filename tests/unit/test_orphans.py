"""The hook that takes over objects of a killed `up` reaches a cluster that was just made."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import pulumi
import pytest
from urllib3.exceptions import HTTPError

from components import orphans
from components.names import Names
from components.settings import parse
from tests.support.answers import Reply, Respond, Server, serving
from tests.support.kubernetes_api import Kubernetes, kubeconfig

ARGS = pulumi.ResourceHookArgs(
    urn="urn",
    id="",
    name="etcd-ssd",
    type="kubernetes:storage.k8s.io/v1:StorageClass",
    new_inputs={"metadata": {"name": "etcd-ssd"}},
)


def test_the_hook_takes_the_credentials_when_they_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def note(*given: Any) -> None:
        asked.append(given)

    def registered(_hook: pulumi.ResourceHook) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    monkeypatch.setattr("pulumi.resource_hooks.register_resource_hook", registered)
    monkeypatch.setattr(orphans, "_let_go", note)
    names = Names(parse({"gke": {"create": True, "project": "my-project"}}), "dev")

    async def up() -> None:
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        kubeconfig = pulumi.Output.from_input(ready).apply(lambda text: text)
        (hook,) = orphans.hooks(names, kubeconfig).before_create or []
        assert not isinstance(hook, str)
        called = asyncio.ensure_future(cast("Coroutine[Any, Any, None]", hook(ARGS)))
        await asyncio.sleep(0)
        assert not asked, "nobody can be asked before the cluster is there"
        ready.set_result(json.dumps({"current-context": "made"}))
        await called

    # asyncio.run would take the loop away that other tests find.
    loop = asyncio.new_event_loop()
    loop.run_until_complete(up())
    loop.close()
    place = "/apis/storage.k8s.io/v1/storageclasses/etcd-ssd"
    assert asked == [('{"current-context": "made"}', names, "StorageClass", place)]


def test_a_look_at_one_object_does_not_hold_up_the_other_hooks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pulumi runs all of them in one loop."""
    others = Event()

    def registered(_hook: pulumi.ResourceHook) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    def look(*_given: Any) -> None:
        assert others.wait(10), "nobody else came"

    monkeypatch.setattr("pulumi.resource_hooks.register_resource_hook", registered)
    monkeypatch.setattr(orphans, "_let_go", look)
    names = Names(parse({"gke": {"create": True, "project": "my-project"}}), "dev")

    async def up() -> None:
        (hook,) = orphans.hooks(names, pulumi.Output.from_input("{}")).before_create or []
        assert not isinstance(hook, str)
        called = asyncio.ensure_future(cast("Coroutine[Any, Any, None]", hook(ARGS)))
        asyncio.get_running_loop().call_later(0.1, others.set)
        await called

    loop = asyncio.new_event_loop()
    loop.run_until_complete(up())
    loop.close()


def test_a_plugin_that_did_not_reach_the_cluster_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It then hands on the object of before, and before there was none."""

    def registered(_hook: pulumi.ResourceHook) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    monkeypatch.setattr("pulumi.resource_hooks.register_resource_hook", registered)
    names = Names(parse({"gke": {"create": True, "project": "my-project"}}), "dev")

    nothing = pulumi.ResourceHookArgs(
        urn="urn", id="", name="etcd-ssd", type=ARGS.type, new_inputs={}
    )

    async def up() -> None:
        kubeconfig = pulumi.Output.from_input("{}")
        (hook,) = orphans.hooks(names, kubeconfig).before_create or []
        assert not isinstance(hook, str)
        await cast("Coroutine[Any, Any, None]", hook(nothing))

    loop = asyncio.new_event_loop()
    with pytest.raises(RuntimeError, match="did not reach the Kubernetes cluster for etcd-ssd"):
        loop.run_until_complete(up())
    loop.close()


def test_an_api_that_goes_away_meanwhile_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def registered(_hook: pulumi.ResourceHook) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    def away(*_given: Any) -> None:
        raise HTTPError("connection refused")

    monkeypatch.setattr("pulumi.resource_hooks.register_resource_hook", registered)
    monkeypatch.setattr(orphans, "_let_go", away)
    names = Names(parse({"gke": {"create": True, "project": "my-project"}}), "dev")

    async def up() -> None:
        (hook,) = orphans.hooks(names, pulumi.Output.from_input("{}")).before_create or []
        assert not isinstance(hook, str)
        await cast("Coroutine[Any, Any, None]", hook(ARGS))

    loop = asyncio.new_event_loop()
    with pytest.raises(RuntimeError, match=r"StorageClass etcd-ssd is there: .*refused\nNext: "):
        loop.run_until_complete(up())
    loop.close()


def pod(name: str, *, ending: bool = False) -> Any:
    metadata = SimpleNamespace(name=name, deletion_timestamp="now" if ending else None)
    return SimpleNamespace(metadata=metadata)


@pytest.mark.parametrize(
    "pods",
    [
        pytest.param([], id="nothing runs"),
        pytest.param([pod("etcd-0")], id="one that Kubernetes has made by itself"),
        pytest.param([pod("etcd-0"), pod("etcd-1", ending=True)], id="others are ending"),
        pytest.param([pod("etcd-0"), pod("etcd-seed-0"), pod("etcd-seed-1")], id="of another"),
    ],
)
def test_a_statefulset_that_nobody_has_scaled_is_taken_over(pods: list[Any]) -> None:
    orphans.require_unscaled("etcd", pods)


def test_pods_that_would_end_at_once_are_not_ended() -> None:
    running = [pod(f"etcd-{i}") for i in range(3)]
    with pytest.raises(RuntimeError, match=r"etcd-1, etcd-2 would end at once.*\nNext: "):
        orphans.require_unscaled("etcd", running)


@pytest.mark.parametrize(
    ("group_version", "kind", "namespace", "expected"),
    [
        pytest.param("core/v1", "Service", "n", "/api/v1/namespaces/n/services/x", id="core"),
        pytest.param(
            "apps/v1", "StatefulSet", "n", "/apis/apps/v1/namespaces/n/statefulsets/x", id="a group"
        ),
        pytest.param(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "n",
            "/apis/networking.k8s.io/v1/namespaces/n/networkpolicies/x",
            id="on y",
        ),
        pytest.param(
            "storage.k8s.io/v1",
            "StorageClass",
            None,
            "/apis/storage.k8s.io/v1/storageclasses/x",
            id="on s, in no namespace",
        ),
    ],
)
def test_an_object_is_asked_for_where_kubernetes_has_it(
    group_version: str, kind: str, namespace: str | None, expected: str
) -> None:
    metadata = {"name": "x", **({"namespace": namespace} if namespace else {})}
    assert orphans.address(group_version, kind, metadata) == expected


def kubernetes(groups: list[str], objects: dict[str, Any], asked: list[str]) -> Respond:
    """An API server that has these groups (`apps/v1`) and objects, by address; `asked`: of it.

    It words a group that it has not in plain text, as the real one does.
    """

    def respond(method: str, path: str, body: str) -> Reply:
        at = path.partition("?")[0].rstrip("/")
        asked.append(f"{method} {path}{f' {body}' if body not in ('', 'null') else ''}")
        if at == "/version":
            return said({"major": "1", "minor": "34"})
        if at == "/apis":
            versions = [{"groupVersion": g, "version": g.partition("/")[2]} for g in groups]
            names = [g.partition("/")[0] for g in groups]
            listed = [
                {"name": n, "versions": [v], "preferredVersion": v}
                for n, v in zip(names, versions, strict=True)
            ]
            return said({"kind": "APIGroupList", "groups": listed})
        if at == "/api/v1" or at.removeprefix("/apis/") in groups:
            kinds = {"Service": "services", "Pod": "pods"} if at == "/api/v1" else {}
            kinds |= {"StatefulSet": "statefulsets"} if at == "/apis/apps/v1" else {}
            there = [
                {"name": n, "kind": k, "namespaced": True, "verbs": []} for k, n in kinds.items()
            ]
            return said({"kind": "APIResourceList", "resources": there})
        if at.endswith("/pods"):
            return said({"kind": "PodList", "items": []})
        if at in objects:
            return said(objects.pop(at) if method == "DELETE" else objects[at])
        if "/namespaces/" in at:
            return Kubernetes.missed(at)
        return Reply(404, "404 page not found", {"Content-Type": "text/plain"})

    return respond


def said(body: object) -> Reply:
    return Reply(200, json.dumps(body), {"Content-Type": "application/json"})


def let_go(server: Server, kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Pulumi calls before it makes this object of a stack `dev`."""

    def registered(_hook: pulumi.ResourceHook) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    group = {"StatefulSet": "apps/v1", "Service": "core/v1"}[kind]
    args = pulumi.ResourceHookArgs(
        urn="urn",
        id="",
        name=name,
        type=f"kubernetes:{group}:{kind}",
        new_inputs={"metadata": {"name": name, "namespace": "etcd"}},
    )
    monkeypatch.setattr("pulumi.resource_hooks.register_resource_hook", registered)

    async def up() -> None:
        credentials = pulumi.Output.from_input(kubeconfig(server.url))
        (hook,) = orphans.hooks(NAMES, credentials).before_create or []
        assert not isinstance(hook, str)
        await cast("Coroutine[Any, Any, None]", hook(args))

    loop = asyncio.new_event_loop()
    loop.run_until_complete(up())
    loop.close()


NAMES = Names(
    parse(
        {
            "kubernetes": {"context": "here", "kubeconfig": "of/mine"},
            "image": {"registry": "localhost:5000"},
        }
    ),
    "dev",
)
SERVICE = "/api/v1/namespaces/etcd/services/etcd"


def test_a_group_that_an_upgrade_took_away_is_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The official client's DynamicClient believes what another run has noted of the cluster."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    groups = ["apps/v1", "gone.example/v1"]
    with serving(kubernetes(groups, {}, [])) as server:
        let_go(server, "Service", "etcd", monkeypatch)
        groups.remove("gone.example/v1")
        let_go(server, "Service", "etcd", monkeypatch)
    assert not list(tmp_path.glob("osrcp-*")), "nothing of it is left on the machine"


def test_an_object_of_a_killed_up_is_deleted_without_what_belongs_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    place = "/apis/apps/v1/namespaces/etcd/statefulsets/etcd"
    ours = {"metadata": {"name": "etcd", "labels": dict(NAMES.identity)}}
    with serving(kubernetes(["apps/v1"], {place: ours}, asked)) as server:
        let_go(server, "StatefulSet", "etcd", monkeypatch)
    pods, *others = asked
    assert pods.startswith("GET /api/v1/namespaces/etcd/pods?labelSelector=")
    assert others == [
        f"GET {place}",
        f'DELETE {place} {{"propagationPolicy": "Orphan"}}',
        f"GET {place}",
    ]


def test_an_object_that_does_not_go_is_looked_at_where_the_settings_lead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orphans, "GONE_SECONDS", 0.0)
    with (
        serving(kubernetes([], {}, [])) as server,
        pytest.raises(RuntimeError) as failure,
    ):
        let_go(server, "Service", "etcd", monkeypatch)
    assert str(failure.value).endswith(
        "\nNext: kubectl --kubeconfig of/mine --context here -n etcd get service etcd -o yaml, to "
        "see what holds it"
    )


@pytest.mark.parametrize(
    "objects",
    [
        pytest.param({}, id="there is none"),
        pytest.param({SERVICE: {"metadata": {"name": "etcd"}}}, id="somebody else's"),
    ],
)
def test_where_nothing_of_ours_is_left_kubernetes_is_asked_once(
    objects: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    with serving(kubernetes(["apps/v1"], objects, asked)) as server:
        let_go(server, "Service", "etcd", monkeypatch)
    assert asked == [f"GET {SERVICE}"]


def test_a_hook_needs_nothing_that_is_beside_its_own_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pulumi runs it when it has taken the program's folder from Python's path."""
    package = sys.modules["components.kube"]
    for name, module in list(sys.modules.items()):
        if name.startswith("components.kube."):
            monkeypatch.delitem(sys.modules, name)
            # As it is now, again after this test.
            monkeypatch.setattr(package, name.rpartition(".")[2], module)
        elif name.startswith("containers."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "containers", None)
    with serving(kubernetes([], {}, [])) as server:
        let_go(server, "Service", "etcd", monkeypatch)
