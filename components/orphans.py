"""Objects that a killed `pulumi up` made and could not note: the next one takes them over.

Pulumi writes an object into its state after Kubernetes has made it. Killed in between, it would
find its own object in the way ("already exists") for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import pulumi
from urllib3.exceptions import HTTPError

from components.kube.pods import of_stateful_set
from components.names import Names
from components.site import kubectl

GONE_SECONDS = 30.0


def hooks(names: Names, kubeconfig: pulumi.Output[str]) -> pulumi.ResourceHookBinding:
    """What every Kubernetes object of the program carries. Costs nothing where none is made."""

    async def before_create(args: pulumi.ResourceHookArgs) -> None:
        # kubernetes:apps/v1:StatefulSet
        _, group_version, kind = args.type.split(":")
        metadata: Any = (args.new_inputs or {}).get("metadata")
        if metadata is None:
            # skipUpdateUnreachable: the plugin hands on what was there before, here nothing.
            raise RuntimeError(
                f"Pulumi's plugin did not reach the Kubernetes cluster for {args.name}.\n"
                "Next: pulumi up"
            )
        place = address(group_version, kind, metadata)
        # Known by now: the object's own provider has it. A preview runs no hook.
        credentials = await kubeconfig.future() or ""
        try:
            # In a thread: Pulumi answers all hooks from one loop, which this would stop.
            await asyncio.to_thread(_let_go, credentials, names, kind, place)
        except HTTPError as error:
            raise RuntimeError(
                f"the Kubernetes API does not say whether {kind} {metadata['name']} is there: "
                f"{error}\nNext: pulumi up, once it answers"
            ) from None

    return pulumi.ResourceHookBinding(
        before_create=[pulumi.ResourceHook("take-over-orphans", before_create)]
    )


def address(group_version: str, kind: str, metadata: Mapping[str, Any]) -> str:
    """Where the Kubernetes API has an object. Pure.

    The plural by the rule of Kubernetes itself, which holds for all its own kinds (apimachinery:
    UnsafeGuessKindToResource). Who asks the API for it, as the official client's DynamicClient
    does, asks more, and that one keeps the answers in a file that all programs of the machine
    share, beyond an upgrade of the cluster.
    """
    singular = kind.lower()
    match singular[-1]:
        case "s":
            plural = f"{singular}es"
        case "y":
            plural = f"{singular.removesuffix('y')}ies"
        case _:
            plural = f"{singular}s"
    core = group_version.removeprefix("core/")
    root = f"/apis/{core}" if "/" in core else f"/api/{core}"
    namespace = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{namespace}/{plural}/{metadata['name']}"


def _let_go(kubeconfig: str, names: Names, kind: str, place: str) -> None:
    """Delete the object if it is this stack's, and leave alone what belongs to it.

    Deleted with its dependents orphaned: the volumes live on, and so does the one pod that a
    StatefulSet has before anybody has scaled it. `place`: its address. Raises RuntimeError, and
    what the client does.
    """
    from kubernetes import client  # noqa: PLC0415 - costs every `up` time otherwise

    # Of this package alone: when a hook runs, Pulumi has taken the program's folder, in which
    # `containers` is, from Python's path.
    from components.kube.connection import connected  # noqa: PLC0415

    api: Any = connected(kubeconfig, None, patient=True)
    name = place.rpartition("/")[2]
    namespace = names.settings.kubernetes.namespace
    if kind == "StatefulSet":
        selector = ",".join(f"{key}={value}" for key, value in names.identity.items())
        core: Any = client.CoreV1Api(api)
        pods = core.list_namespaced_pod(namespace, label_selector=selector)
        require_unscaled(name, pods.items)

    deadline = time.monotonic() + GONE_SECONDS
    asked = False
    while time.monotonic() < deadline:
        found = _call(api, "GET", place)
        # Somebody else's: Kubernetes will say so.
        if found is None or not names.identity.items() <= _labels(found).items():
            return
        if not asked:
            asked = True
            _call(api, "DELETE", place, {"propagationPolicy": "Orphan"})
        time.sleep(0.1)
    get = ("-n", namespace, "get", kind.lower(), name, "-o", "yaml")
    kubernetes = names.settings.kubernetes
    look = kubectl(names.settings.context, *get, kubeconfig=kubernetes.kubeconfig)
    raise RuntimeError(
        f"{kind} {name} of namespace {namespace} was deleted and is there after "
        f"{GONE_SECONDS:.0f} s.\n"
        f"Next: {look}, to see what holds it"
    )


def _call(api: Any, method: str, place: str, body: object = None) -> Any:
    """What Kubernetes answers; None where there is no such object. Raises what the client does."""
    from kubernetes.client import ApiException  # noqa: PLC0415

    try:
        return api.call_api(
            place,
            method,
            header_params={"Accept": "application/json"},
            body=body,
            response_type="object",
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
        )
    except ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None


def _labels(found: Mapping[str, Any]) -> dict[str, str]:
    return found["metadata"].get("labels") or {}


def require_unscaled(name: str, pods: Iterable[Any]) -> None:
    """Raise RuntimeError where a StatefulSet that is to be made has had more pods than one.

    Recreated it has one replica, until a sequence scales it, and Kubernetes ends all others at
    once. That one had been scaled, and is in the state no more, or somebody has deleted it alone.
    """
    own = of_stateful_set(pods, name)
    more = [p.metadata.name for p in own if not p.metadata.deletion_timestamp][1:]
    if more:
        raise RuntimeError(
            f"{', '.join(more)} would end at once: StatefulSet {name} is no part of the stack's "
            "state, and its pods run.\n"
            "Next: bring the state back (pulumi stack import), or go on without it as "
            "docs/runbook.md says: the state is lost"
        )
