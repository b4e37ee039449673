"""Objects that a killed `pulumi up` made and could not note: the next one takes them over.

Pulumi writes an object into its state after Kubernetes has made it. Killed in between, it would
find its own object in the way ("already exists") for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import pulumi
from urllib3.exceptions import HTTPError

from components.kube.pods import of_stateful_set
from components.names import Names

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
        api_version = group_version.removeprefix("core/")
        # Known by now: the object's own provider has it. A preview runs no hook.
        credentials = await kubeconfig.future() or ""
        try:
            # In a thread: Pulumi answers all hooks from one loop, which this would stop.
            await asyncio.to_thread(
                _let_go, credentials, names, api_version, kind, metadata["name"]
            )
        except HTTPError as error:
            raise RuntimeError(
                f"the Kubernetes API does not say whether {kind} {metadata['name']} is there: "
                f"{error}\nNext: pulumi up, once it answers"
            ) from None

    return pulumi.ResourceHookBinding(
        before_create=[pulumi.ResourceHook("take-over-orphans", before_create)]
    )


def _let_go(kubeconfig: str, names: Names, api_version: str, kind: str, name: str) -> None:
    """Delete the object if it is this stack's, and leave alone what belongs to it.

    Deleted with its dependents orphaned: the volumes live on, and so does the one pod that a
    StatefulSet has before anybody has scaled it. Raises RuntimeError, and what the client does.
    """
    from kubernetes import dynamic  # noqa: PLC0415 - costs every `up` time otherwise
    from kubernetes.dynamic.exceptions import NotFoundError  # noqa: PLC0415

    from components.kube.connection import connected  # noqa: PLC0415

    client: Any = dynamic.DynamicClient(connected(kubeconfig, None, patient=True))
    objects = client.resources.get(api_version=api_version, kind=kind)
    namespace = names.settings.kubernetes.namespace
    if kind == "StatefulSet":
        pods = client.resources.get(api_version="v1", kind="Pod")
        selector = ",".join(f"{key}={value}" for key, value in names.identity.items())
        require_unscaled(name, pods.get(namespace=namespace, label_selector=selector).items)
    place = {"name": name, "namespace": namespace}
    deadline = time.monotonic() + GONE_SECONDS
    asked = False
    while time.monotonic() < deadline:
        try:
            found = objects.get(**place)
            labels = dict(found.metadata.labels or {})
            if not names.identity.items() <= labels.items():
                return  # somebody else's: Kubernetes will say so
            if not asked:
                asked = True
                objects.delete(**place, body={"propagationPolicy": "Orphan"})
        except NotFoundError:
            return
        time.sleep(0.1)
    raise RuntimeError(
        f"{kind} {name} of namespace {namespace} was deleted and is there after "
        f"{GONE_SECONDS:.0f} s.\n"
        f"Next: kubectl -n {namespace} get {kind.lower()} {name} -o yaml, to see what holds it"
    )


def require_unscaled(name: str, pods: Iterable[Any]) -> None:
    """Raise RuntimeError where a StatefulSet that is to be made has had more pods than one.

    Recreated it has one replica, until a sequence scales it, and Kubernetes ends all others at
    once. That one had been scaled, and is in the state no more, or somebody has deleted it alone.
    """
    own = of_stateful_set(pods, name)
    more = [p.metadata.name for p in own if not p.metadata.deletionTimestamp][1:]
    if more:
        raise RuntimeError(
            f"{', '.join(more)} would end at once: StatefulSet {name} is no part of the stack's "
            "state, and its pods run.\n"
            "Next: bring the state back (pulumi stack import), or go on without it as "
            "docs/runbook.md says: the state is lost"
        )
