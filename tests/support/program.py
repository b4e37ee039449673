"""The real program, run under Pulumi's mocks: what it asks the engine for, and nothing more.

The engine's view is recorded as it goes over the wire, so dependencies, options and what is secret
are there beside the inputs.
"""

from __future__ import annotations

import asyncio
import json
import runpy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks, settings
from pulumi.runtime.config import set_all_config

_MAIN = Path(__file__).resolve().parent.parent.parent / "__main__.py"

DIGEST = f"sha256:{'1f' * 32}"
BUILT = f"localhost:5000/etcd@{DIGEST}"
"""What the build answers."""

CONTEXT = "etcd-lab"
TOKEN = "the-token-in-the-kubeconfig"

DYNAMIC = "pulumi-python:dynamic/etcd:"

SEQUENCES = ("Preflight", "Namespace", "Start", "Discovery", "Handover", "Scale", "Rollout")
"""The dynamic resources, in the order in which they come."""

ADDRESS = "192.0.2.7"
"""Of the load balancer."""

_COMPUTED: dict[str, dict[str, Any]] = {
    "docker:index/image:Image": {"repoDigest": BUILT},
    f"{DYNAMIC}Discovery": {
        "cluster_id": "c1",
        "birth": "the-birth-mark",
        "origin": "born",
        "token": "the-discovery-token",
        "phases": {"pods": 1.5},
    },
    f"{DYNAMIC}Handover": {
        "proof": {
            "members": [{"name": "etcd-0", "version": "3.6.14"}],
            "revision": 7,
            "receipt": {"consistent": True},
            "at": 1.0,
        },
        "timings": {"receipt": 0.1},
    },
    f"{DYNAMIC}Scale": {"proof": {}},
    f"{DYNAMIC}Rollout": {"proof": {}},
    f"{DYNAMIC}Address": {"host": ADDRESS},
}
_CLUSTER_IP = "10.96.0.7"

DNS_ENDPOINT = "gke-0123456789ab.us-central1.gke.goog"
IP_ENDPOINT = "203.0.113.7"
AUTHORITY = "dGhlIGF1dGhvcml0eQ=="
EMAIL = "etcd-dev-nodes@my-project.iam.gserviceaccount.com"
REGISTRY_URI = "us-central1-docker.pkg.dev/my-project/etcd-dev"

_GOOGLE: dict[str, dict[str, Any]] = {
    "gcp:serviceaccount/account:Account": {"email": EMAIL},
    "gcp:artifactregistry/repository:Repository": {"registryUri": REGISTRY_URI},
    "gcp:container/cluster:Cluster": {
        "endpoint": IP_ENDPOINT,
        "masterAuth": {"clusterCaCertificate": AUTHORITY},
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"endpoint": DNS_ENDPOINT}},
    },
}
"""What Google answers of each; the rest as it was declared."""


@dataclass(frozen=True)
class Declared:
    """One resource as the engine was asked to register it."""

    urn: str
    type: str
    name: str
    inputs: Any
    """Plain, secrets too."""
    secrets: frozenset[str]
    """Top-level inputs that hold a secret, and outputs that are declared to be one."""
    above: frozenset[str]
    """URNs of its parent and of what it depends on."""
    provider: str
    """URN of its explicit provider; empty for none."""
    ignored_changes: tuple[str, ...]
    protect: bool
    version: str
    """Of the plugin; empty: whichever is there."""
    retained: bool
    deleted_with: str

    @property
    def spec(self) -> Any:
        return self.inputs["spec"]

    @property
    def pod(self) -> Any:
        """The pod's spec, of a StatefulSet."""
        return self.spec["template"]["spec"]

    @property
    def container(self) -> Any:
        (only,) = self.pod["containers"]
        return only

    @property
    def env(self) -> dict[str, Any]:
        """Environment variables; the value, or what it is taken from."""
        return {e["name"]: e.get("value", e.get("valueFrom")) for e in self.container["env"]}


@dataclass(frozen=True)
class Export:
    """One stack output."""

    known: bool
    value: Any
    secret: bool


@dataclass
class Program:
    """One run of the program."""

    resources: list[Declared] = field(default_factory=list[Declared])
    """In the order in which they were asked for."""
    exports: dict[str, Export] = field(default_factory=dict[str, Export])

    def all(self, type_: str) -> list[Declared]:
        """All resources of a type; `StatefulSet` and so on are Kubernetes' kinds."""
        return [
            r
            for r in self.resources
            if r.type == type_
            or (r.type.startswith("kubernetes:") and r.type.endswith(f":{type_}"))
        ]

    def one(self, type_: str, name: str | None = None) -> Declared:
        """The one of this type; with a name, the one with this Kubernetes name."""
        found = self.all(type_)
        if name is not None:
            found = [r for r in found if r.inputs["metadata"]["name"] == name]
        (only,) = found
        return only

    def waits_for(self, resource: Declared) -> set[str]:
        """URNs of all that must be there before `resource` is touched, and end after it."""
        by_urn = {r.urn: r for r in self.resources}
        seen: set[str] = set()
        ahead = set(resource.above)
        while ahead:
            urn = ahead.pop()
            if urn not in seen and urn in by_urn:
                seen.add(urn)
                ahead |= by_urn[urn].above
        return seen


def run(
    config: Mapping[str, Any],
    *,
    preview: bool = False,
    stack: str = "dev",
    google_project: str | None = None,
) -> Program:
    """Run `__main__.py` with this config (groups as `Pulumi.<stack>.yaml` has them).

    Raises what the program raises. With `preview`, what only an `up` can know is unknown.
    """
    # The SDK keeps the stack of the run before for as long as the process lives.
    settings.ROOT.set(None)
    own = {f"etcd:{group}": json.dumps(values) for group, values in config.items()}
    set_all_config({**own, **({"gcp:project": google_project} if google_project else {})})
    program = Program()
    answers = _Answers(preview)
    mocks.set_mocks(
        answers, project="etcd", stack=stack, preview=preview, monitor=_Recorder(answers, program)
    )

    # The mocks have no server that the engine could call back: hooks are named, never run.
    registered = patch("pulumi.resource_hooks.register_resource_hook", _done)

    def whole() -> pulumi.Output[None]:
        runpy.run_path(str(_MAIN), run_name="__main__")
        return pulumi.Output.from_input(asyncio.ensure_future(_read_exports(program)))

    with registered:
        mocks.test(whole)()
    return program


def _done(_hook: pulumi.ResourceHook) -> asyncio.Future[None]:
    future = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


async def _read_exports(program: Program) -> None:
    root = cast("pulumi.runtime.stack.Stack", settings.get_root_resource())
    for name, value in root.outputs.items():
        output = pulumi.Output.from_input(value)
        known = await output.is_known()
        program.exports[name] = Export(
            known=known,
            value=await output.future() if known else None,
            secret=await output.is_secret(),
        )


class _Answers(mocks.Mocks):
    def __init__(self, preview: bool) -> None:
        self._preview = preview

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], None]:
        raise AssertionError(f"the program asks a provider: {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        state = dict(args.inputs)
        if args.resource_id:  # not declared, but read as Kubernetes has it
            return args.resource_id, {**state, "status": {"expectedPods": 3}}
        if not self._preview:
            state |= _COMPUTED.get(args.typ, {}) | _GOOGLE.get(args.typ, {})
            if args.typ == "kubernetes:core/v1:Service":
                state["spec"] = {**state["spec"], "clusterIP": _CLUSTER_IP}
                state["metadata"] = {**state["metadata"], "uid": f"uid-of-{args.name}"}
        return (None if self._preview else f"{args.name}-id"), state


class _Recorder(mocks.MockMonitor):
    def __init__(self, answers: mocks.Mocks, program: Program) -> None:
        super().__init__(answers)
        self._program = program

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        answer = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            raw = MessageToDict(request.object)
            secret = {key for key, value in raw.items() if _holds_secret(value)}
            self._program.resources.append(
                Declared(
                    urn=answer.urn,
                    type=request.type,
                    name=request.name,
                    inputs=_plain(raw),
                    secrets=frozenset([*secret, *request.additionalSecretOutputs]),
                    above=frozenset([request.parent, *request.dependencies]),
                    provider=request.provider.rpartition("::")[0],
                    ignored_changes=tuple(request.ignoreChanges),
                    protect=request.protect,
                    version=request.version,
                    retained=request.retainOnDelete,
                    deleted_with=request.deletedWith,
                )
            )
        return answer


_MARK, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""How a secret is told from other objects in Pulumi's protocol (sdk: runtime/rpc.py)."""


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and cast("dict[str, Any]", value).get(_MARK) == _SECRET


def _holds_secret(value: Any) -> bool:
    return _is_secret(value) or any(_holds_secret(inner) for inner in _inside(value))


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _plain(value: Any) -> Any:
    if _is_secret(value):
        return _plain(value["value"])
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(v) for v in cast("list[Any]", value)]
    return value


WORKLOADS = ("etcd", "etcd-seed", "etcd-discovery")


def workloads(program: Program) -> dict[str, Declared]:
    """The three StatefulSets, by name."""
    found = {r.inputs["metadata"]["name"]: r for r in program.all("StatefulSet")}
    assert set(found) == set(WORKLOADS)
    return found
