"""The hook that takes over objects of a killed `up` reaches a cluster that was just made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import pulumi
import pytest
from urllib3.exceptions import HTTPError

from components import orphans
from components.names import Names
from components.settings import parse

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
    assert asked == [
        ('{"current-context": "made"}', names, "storage.k8s.io/v1", "StorageClass", "etcd-ssd")
    ]


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
    metadata = SimpleNamespace(name=name, deletionTimestamp="now" if ending else None)
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
