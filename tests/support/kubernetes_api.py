"""A fake of a few answers of the Kubernetes API: what the preflight reads, and refusals.

It has no objects, no admission and no controllers, so it proves nothing about sequences; those are
tested on a real Kubernetes, end to end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.answers import Reply, Server, serving

SECRET = "the-secret-that-nobody-prints"
"""The bearer token in every kubeconfig that is made here."""


def kubeconfig(server: str, context: str = "here", **user: str) -> str:
    """A kubeconfig as the program hands it to its dynamic resources: one context, as JSON."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": SECRET, **user}}],
        }
    )


EXEC_API = "client.authentication.k8s.io/v1"


def by_command(server: str, command: str) -> str:
    """The same of a user who logs in by a command, as clouds make them."""
    found = json.loads(kubeconfig(server))
    login = {"apiVersion": EXEC_API, "command": command, "interactiveMode": "Never"}
    found["users"][0]["user"] = {"exec": login}
    return json.dumps(found)


@dataclass
class Kubernetes:
    """A running fake."""

    minor: str = "34"
    forbidden: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Verb and resource[/subresource] that access reviews deny."""
    grants: bool = True
    """Whether this user holds by RBAC what he grants."""
    classes: Mapping[str, bool] = field(default_factory=lambda: {"standard": True})
    """Storage classes; True: the default one."""
    nodes: Sequence[str] = ("amd64",)
    """The processors of its nodes, all of Linux."""
    namespace: bool = False
    """Whether it exists."""
    quota: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """The namespace's quota: hard limit and what is in use, by resource."""
    scopes: Mapping[str, object] = field(default_factory=dict[str, object])
    """Of that quota: its `scopes`, its `scopeSelector`."""
    objects: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Names of objects in the namespace, by kind as in its address."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of these; somebody else's without."""
    limits: Sequence[object] = ()
    """Of the namespace's LimitRange."""
    units: int = 0
    """Units that run, each with a volume; they request 500m and 1Gi, beside a sidecar."""
    cpu_limit: str = ""
    """What the namespace has given these units, if anything."""
    left: int = 0
    """Volumes of units that do not run."""
    kept: str = ""
    """The cluster that is noted on all these volumes."""
    ending: bool = False
    """Whether they are being deleted."""
    put_off: int = 0
    """How many evictions the units' budget does not allow, before it allows all."""
    always: Reply | None = None
    """The answer to everything."""
    answers: dict[str, Reply | Callable[[], Reply]] = field(
        default_factory=dict[str, Reply | Callable[[], Reply]]
    )
    """Further answers, or what gives another one each time: `GET /path`."""
    _server: Server | None = None

    @staticmethod
    @contextmanager
    def running(**kubernetes: object) -> Generator[Kubernetes]:
        fake = Kubernetes(**kubernetes)  # pyright: ignore[reportArgumentType] - the fields
        with serving(fake._respond) as fake._server:
            yield fake

    def _claim(self, ordinal: int) -> object:
        notes = {"etcd.pulumi.com/cluster-id": self.kept} if self.kept else {}
        since = {"deletionTimestamp": "2026-11-27T03:12:40Z"} if self.ending else {}
        return {
            "metadata": {"name": f"data-etcd-{ordinal}", "annotations": notes, **since},
            "spec": {"resources": {"requests": {"storage": "20Gi"}}},
        }

    def _unit(self, ordinal: int) -> object:
        resources = {
            "requests": {"cpu": "500m", "memory": "1Gi"},
            "limits": {"memory": "1Gi", **({"cpu": self.cpu_limit} if self.cpu_limit else {})},
        }
        container = {"name": "etcd", "resources": resources}
        # Somebody injects it, and before all others (Istio: holdApplicationUntilProxyStarts).
        sidecar = {"name": "proxy", "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}}
        containers = [sidecar, container]
        return {"metadata": {"name": f"etcd-{ordinal}"}, "spec": {"containers": containers}}

    def _role(self, wanted: Any) -> Reply:
        """The answer to who wants to make this Role."""
        if self.grants:
            return _json(wanted, 201)
        return self.status(
            403,
            f'roles.rbac.authorization.k8s.io "{wanted["metadata"]["name"]}" is forbidden: user "u"'
            ' (groups=["g"]) is attempting to grant RBAC permissions not currently held:\n'
            f"{wanted['rules']}",
        )

    def _of_all(self, name: str, path: str) -> list[object]:
        """What belongs to no namespace."""
        if name == "nodes":
            return [_node(arch) for arch in self.nodes if _selects(path, arch)]
        return [_storage_class(n, default=d) for n, d in self.classes.items()]

    @staticmethod
    def status(code: int, message: str) -> Reply:
        """A refusal as the API server words it."""
        said = {"kind": "Status", "status": "Failure", "message": message, "code": code}
        return Reply(code, json.dumps(said), {"Content-Type": "application/json"})

    @staticmethod
    def missed(path: str, reason: str = "NotFound") -> Reply:
        """A 404 as the API server words it, of what this address names last."""
        kind, name = path.partition("?")[0].rstrip("/").split("/")[-2:]
        said = {
            "kind": "Status",
            "status": "Failure",
            "message": f'{kind} "{name}" not found',
            "reason": reason,
            "details": {"name": name, "kind": kind},
            "code": 404,
        }
        return Reply(404, json.dumps(said), {"Content-Type": "application/json"})

    @staticmethod
    def no_disruption() -> Reply:
        """The refusal of an eviction by a budget, as the API server words it. The header only comes
        while the budget's controller has not seen it yet; here always."""
        why = "The disruption budget etcd needs 2 healthy pods and has 2 currently"
        said = {
            "kind": "Status",
            "status": "Failure",
            "message": "Cannot evict pod as it would violate the pod's disruption budget.",
            "reason": "TooManyRequests",
            "details": {"causes": [{"reason": "DisruptionBudget", "message": why}]},
            "code": 429,
        }
        headers = {"Content-Type": "application/json", "Retry-After": "10"}
        return Reply(429, json.dumps(said), headers)

    def _evict(self) -> Reply:
        if self.put_off > 0:
            self.put_off -= 1
            return self.no_disruption()
        return _json({"kind": "Status", "metadata": {}, "status": "Success", "code": 201}, 201)

    @property
    def url(self) -> str:
        assert self._server is not None
        return self._server.url

    @property
    def asked(self) -> list[str]:
        assert self._server is not None
        return self._server.asked

    @property
    def touched(self) -> list[str]:
        """Of that, what changes something: no question, no review of rights and no dry run."""
        return [
            a
            for a in self.asked
            if not a.startswith("GET ") and not a.endswith(("accessreviews", "?dryRun=All"))
        ]

    def _respond(self, method: str, path: str, body: str) -> Reply:
        request = f"{method} {path.partition('?')[0].rstrip('/')}"
        if (answer := self.always or self.answers.get(request)) is not None:
            return answer if isinstance(answer, Reply) else answer()
        name = request.rpartition("/")[2]
        if request.startswith("POST ") and name in ("roles", "eviction"):
            return self._evict() if name == "eviction" else self._role(json.loads(body))
        if request == "GET /version":
            return _json({"major": "1", "minor": self.minor, **dict.fromkeys(_VERSION, "x")})
        if name == "selfsubjectaccessreviews":
            wanted = json.loads(body)["spec"]["resourceAttributes"]
            sub = f"/{wanted['subresource']}" if wanted["subresource"] else ""
            asked = wanted["verb"], wanted["resource"] + sub
            everything = (*asked, wanted["group"]) == ("*", "*", "*")
            allowed = not self.forbidden if everything else asked not in self.forbidden
            return _json({"spec": {}, "status": {"allowed": allowed}}, 201)
        if name in ("nodes", "storageclasses"):
            return _list(self._of_all(name, path))
        if name == "resourcequotas":
            hard = {resource: limit for resource, (limit, _) in self.quota.items()}
            used = {resource: in_use for resource, (_, in_use) in self.quota.items()}
            status = {"hard": hard, "used": used}
            quota = {"metadata": {"name": "limits"}, "spec": self.scopes, "status": status}
            return _list([quota])
        if name == "limitranges":
            return _list([{"metadata": {"name": "bounds"}, "spec": {"limits": self.limits}}])
        if request == "GET /api/v1/namespaces/etcd" and self.namespace:
            return _json({"metadata": {"name": "etcd", "labels": {}, "uid": "the-first"}})
        if name == "pods":
            return _list([self._unit(ordinal) for ordinal in range(self.units)])
        if name == "persistentvolumeclaims":
            return _list([self._claim(ordinal) for ordinal in range(self.units or self.left)])
        if name in self.objects:
            spec = {"spec": _WORKLOAD} if name == "statefulsets" else {}
            found = [{"name": n, "labels": dict(self.labels)} for n in self.objects[name]]
            return _list([{"metadata": metadata, **spec} for metadata in found])
        if name in _EMPTY:
            return _list([])
        return Kubernetes.missed(path)


_VERSION = (
    "gitVersion",
    "gitCommit",
    "gitTreeState",
    "buildDate",
    "goVersion",
    "compiler",
    "platform",
)


_EMPTY = (
    "events",
    "services",
    "serviceaccounts",
    "statefulsets",
    "poddisruptionbudgets",
    "networkpolicies",
    "roles",
    "rolebindings",
)


_WORKLOAD = {"selector": {}, "serviceName": "x", "template": {}}
"""The least that the client takes for a workload."""


def _json(body: object, code: int = 200) -> Reply:
    return Reply(code, json.dumps(body), {"Content-Type": "application/json"})


def _list(items: list[object]) -> Reply:
    return _json({"items": items})


def _node(arch: str) -> object:
    return {"metadata": {"labels": {"kubernetes.io/os": "linux", "kubernetes.io/arch": arch}}}


def _selects(path: str, arch: str) -> bool:
    """Whether a list's selector takes a Linux node with this processor."""
    (selector,) = parse_qs(urlsplit(path).query)["labelSelector"]
    return set(selector.split(",")) <= {"kubernetes.io/os=linux", f"kubernetes.io/arch={arch}"}


def _storage_class(name: str, *, default: bool) -> object:
    mark = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {"metadata": {"name": name, "annotations": mark}, "provisioner": "test"}
