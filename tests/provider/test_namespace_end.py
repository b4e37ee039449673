"""The end of a namespace: gone with the stack that made it, never with what others have in it."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from components.dynamic.namespace import NamespaceProvider
from components.kube.namespace import OWNER_LABEL
from components.names import CLUSTER_ANNOTATION
from tests.support.answers import Reply, Server, serving
from tests.support.dynamic import SITE, inputs
from tests.support.kubernetes_api import Kubernetes
from tests.support.plugin import Plugin
from tests.support.stack import until

IDENTITY = {
    "app.kubernetes.io/name": SITE["units"],
    "app.kubernetes.io/instance": SITE["stack"],
}
BESIDE = {**IDENTITY, "app.kubernetes.io/name": "kv"}
"""Labels of another cluster's objects: its etcd:etcd.name is another one."""

POD, CLAIM, WORKLOAD = "pods", "persistentvolumeclaims", "statefulsets"
SECRET = "secrets"
ROOT = "kube-root-ca.crt"
ACCOUNT = {"kubernetes.io/service-account.name": "default"}


def thing(
    name: str,
    labels: Mapping[str, str] | None = None,
    *,
    ending: bool = False,
    annotations: Mapping[str, str] | None = None,
) -> Any:
    since = {"deletionTimestamp": "2026-11-27T03:12:40Z"} if ending else {}
    noted = {"annotations": dict(annotations)} if annotations else {}
    return {"metadata": {"name": name, "labels": dict(labels or {}), **noted, **since}}


@dataclass
class Namespace:
    """A stand-in of one namespace: lists and deletes. Nothing ends by itself in it."""

    owner: str | None = SITE["stack"]
    """The stack that has made it."""
    objects: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    """By kind as in its address."""
    forbidden: tuple[str, ...] = ()
    """Kinds that may not be listed."""
    gone: bool = False
    _server: Server | None = None

    @staticmethod
    @contextmanager
    def running(**fields: Any) -> Generator[Namespace]:
        fake = Namespace(**fields)
        with serving(fake._respond) as fake._server:
            yield fake

    @property
    def url(self) -> str:
        assert self._server is not None
        return self._server.url

    @property
    def looks(self) -> int:
        """How often the pods were looked at."""
        assert self._server is not None
        return sum(asked.endswith("/pods") for asked in self._server.asked)

    @property
    def names(self) -> set[str]:
        """Of all that is in it."""
        return {o["metadata"]["name"] for kind in self.objects.values() for o in kind}

    def _respond(self, method: str, path: str, body: str) -> Reply:
        _, _, below = path.partition("/namespaces/etcd")
        kind, _, name = below.strip("/").partition("/")
        found = [o for o in self.objects.get(kind, []) if o["metadata"]["name"] == name]
        if self.gone or (kind == SECRET and name and not found):
            return Kubernetes.missed(path)
        if kind in self.forbidden:
            return Kubernetes.status(403, f"cannot list {kind}")
        if method == "DELETE":
            self._delete(kind, name)
            return Reply(200, "{}")
        if name:
            return Reply(200, json.dumps(found[0]))
        if kind:
            return Reply(200, json.dumps({"items": self.objects.get(kind, [])}))
        labels = {OWNER_LABEL: self.owner} if self.owner else {}
        return Reply(200, json.dumps(thing("etcd", labels)))

    def _delete(self, kind: str, name: str) -> None:
        if not kind:
            self.gone = True
            self.objects.clear()
        left = [o for o in self.objects.get(kind, []) if o["metadata"]["name"] != name]
        self.objects[kind] = left


def end(namespace: Namespace, process: Plugin, *, retain: bool = False) -> None:
    process.delete(NamespaceProvider(), inputs(NamespaceProvider, namespace.url, retain=retain))


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        pytest.param(POD, thing("kv-0", BESIDE), id="a pod of a cluster beside"),
        pytest.param(
            POD,
            thing("web-0", {**IDENTITY, "app.kubernetes.io/instance": "test"}),
            id="a pod of another stack",
        ),
        pytest.param(POD, thing("web"), id="a pod without labels"),
        pytest.param(POD, thing("data-etcd-0"), id="a pod that is named as our volume"),
        pytest.param(POD, thing("kv-0", BESIDE, ending=True), id="a pod that ends"),
        pytest.param(WORKLOAD, thing("kv", BESIDE), id="a workload without pods"),
        pytest.param(CLAIM, thing("data-kv-0", BESIDE), id="a volume that was kept"),
        pytest.param(CLAIM, thing("data-etcd-4"), id="a volume with the name of a unit's"),
        pytest.param(
            CLAIM,
            thing("data-kv-0", BESIDE, annotations={CLUSTER_ANNOTATION: "2e"}),
            id="a volume that holds another cluster",
        ),
        pytest.param(CLAIM, thing("data-kv-0", BESIDE, ending=True), id="a volume that ends"),
        pytest.param("cronjobs", thing("backup"), id="a backup, between two runs"),
        pytest.param("jobs", thing("import"), id="a job that is done"),
        pytest.param("deployments", thing("web"), id="a deployment that was scaled to nothing"),
        pytest.param("daemonsets", thing("agent"), id="a daemon that no node runs"),
        pytest.param("services", thing("kv", BESIDE), id="an address"),
        pytest.param("configmaps", thing("settings"), id="a configuration"),
        pytest.param("configmaps", thing("data-etcd-0"), id="one that is named as our volume"),
        pytest.param(SECRET, thing("backup-key"), id="a secret"),
        pytest.param(SECRET, thing(ROOT), id="a secret that is named as what Kubernetes makes"),
    ],
)
def test_a_namespace_with_anything_of_others_stays_and_it_is_told(
    kind: str, other: Any, dynamic: Plugin
) -> None:
    name = other["metadata"]["name"]
    with Namespace.running(objects={kind: [other]}) as namespace:
        end(namespace, dynamic)
    assert not namespace.gone
    assert namespace.names == {name}
    (line,) = dynamic.said().splitlines()
    assert "namespace etcd stays" in line
    assert f" {name}" in line


def test_of_many_others_a_few_are_named_and_the_rest_is_counted(dynamic: Plugin) -> None:
    pods = [thing(f"kv-{i}", BESIDE) for i in range(5)]
    with Namespace.running(objects={WORKLOAD: [thing("kv", BESIDE)], POD: pods}) as namespace:
        end(namespace, dynamic)
    assert "StatefulSet kv, Pod kv-0, Pod kv-1 and 3 more" in dynamic.said()


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        pytest.param(WORKLOAD, thing("etcd", IDENTITY, ending=True), id="a workload that ends"),
        pytest.param(CLAIM, thing("data-etcd-4", IDENTITY), id="a unit's volume"),
        pytest.param(CLAIM, thing("data-etcd-seed-0", IDENTITY), id="a seed's volume"),
        pytest.param(
            CLAIM,
            thing("data-etcd-0", annotations={CLUSTER_ANNOTATION: "1f"}),
            id="a volume that a unit has found",
        ),
        pytest.param("services", thing("etcd", IDENTITY, ending=True), id="an address that ends"),
        pytest.param("configmaps", thing(ROOT), id="what Kubernetes puts into every namespace"),
        pytest.param(SECRET, thing("token-x", annotations=ACCOUNT), id="the token of an account"),
        pytest.param(SECRET, thing("etcd-discovery", IDENTITY), id="a bootstrap's, cut off"),
    ],
)
def test_a_namespace_with_nothing_but_its_own_goes(kind: str, own: Any, dynamic: Plugin) -> None:
    with Namespace.running(objects={kind: [own]}) as namespace:
        end(namespace, dynamic)
    assert namespace.gone


def test_a_namespace_goes_when_its_members_have_ended(dynamic: Plugin) -> None:
    """Else Kubernetes may look for what is left again only after half a minute."""
    own = thing("etcd-0", IDENTITY, ending=True)
    with Namespace.running(objects={POD: [own]}) as namespace, ThreadPoolExecutor() as pool:
        done = pool.submit(end, namespace, dynamic)
        until("further looks", lambda: namespace.looks >= 4 or done.done())
        assert not namespace.gone
        namespace.objects[POD].remove(own)
        done.result(30)
        assert namespace.gone


def test_what_others_bring_while_members_end_keeps_the_namespace(dynamic: Plugin) -> None:
    own, other = thing("etcd-0", IDENTITY, ending=True), thing("web-0")
    with Namespace.running(objects={POD: [own]}) as namespace, ThreadPoolExecutor() as pool:
        done = pool.submit(end, namespace, dynamic)
        until("further looks", lambda: namespace.looks >= 4 or done.done())
        namespace.objects[POD] = [other]
        done.result(30)
        assert not namespace.gone
    assert "namespace etcd stays, for what others have in it: Pod web-0" in dynamic.said()


def test_a_member_that_never_ends_does_not_keep_the_namespace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a dead node. In this process, for the limit's sake."""
    monkeypatch.setattr("components.kube.namespace.MEMBERS_SECONDS", 0)
    pods = [thing("etcd-0", IDENTITY, ending=True)]
    with Namespace.running(objects={POD: pods}) as namespace:
        props = inputs(NamespaceProvider, namespace.url, retain=False)
        NamespaceProvider().delete("etcd", props)
        assert namespace.gone


@pytest.mark.parametrize(
    ("kind", "told"), [(WORKLOAD, "StatefulSets"), (SECRET, "Secrets"), ("cronjobs", "CronJobs")]
)
def test_a_namespace_of_which_not_all_may_be_seen_stays(
    kind: str, told: str, dynamic: Plugin
) -> None:
    hidden = {kind: [thing("kv")], CLAIM: [thing("data-etcd-4", IDENTITY)]}
    with Namespace.running(forbidden=(kind,), objects=hidden) as namespace:
        end(namespace, dynamic)
        assert not namespace.gone
        assert namespace.names == {"kv"}, "and what is ours has gone"
    said = f"stays, since others may have something in it: this user may not list {told}"
    assert said in dynamic.said()


def test_what_is_seen_of_others_is_named_whatever_else_there_may_be(dynamic: Plugin) -> None:
    with Namespace.running(forbidden=(WORKLOAD, SECRET)) as namespace:
        namespace.objects = {WORKLOAD: [thing("kv")], POD: [thing("kv-0")]}
        end(namespace, dynamic)
        assert not namespace.gone
    assert "namespace etcd stays, for what others have in it: Pod kv-0" in dynamic.said()


def test_somebody_elses_namespace_is_not_looked_into(dynamic: Plugin) -> None:
    """For that nobody need be allowed to."""
    with Namespace.running(owner=None, forbidden=("cronjobs", "configmaps")) as namespace:
        end(namespace, dynamic)
        assert namespace.looks == 3, "one for each of our workloads"
    assert dynamic.said() == ""


def test_what_is_ours_is_waited_for_in_a_namespace_that_stays_for_others(dynamic: Plugin) -> None:
    own, other = thing("etcd-0", IDENTITY, ending=True), thing("kv-0", BESIDE)
    with Namespace.running(objects={POD: [own, other]}) as namespace, ThreadPoolExecutor() as pool:
        done = pool.submit(end, namespace, dynamic)
        before = namespace.looks
        until("further looks", lambda: namespace.looks >= before + 5 or done.done())
        assert not done.done()
        namespace.objects[POD].remove(own)
        done.result(30)
    assert namespace.names == {"kv-0"}


def test_the_secret_of_a_bootstrap_that_was_cut_off_goes_if_it_is_ours(dynamic: Plugin) -> None:
    secrets = {SECRET: [thing("etcd-discovery", IDENTITY)]}
    with Namespace.running(owner=None, objects=secrets) as namespace:
        end(namespace, dynamic)
    assert namespace.names == set()
    assert dynamic.said() == ""


@pytest.mark.parametrize("labels", [None, BESIDE], ids=["without labels", "of another cluster"])
def test_a_secret_of_others_stays_and_it_is_told(
    labels: dict[str, str] | None, dynamic: Plugin
) -> None:
    secrets = {SECRET: [thing("etcd-discovery", labels)]}
    with Namespace.running(owner=None, objects=secrets) as namespace:
        end(namespace, dynamic)
    assert namespace.names == {"etcd-discovery"}
    assert "Secret etcd-discovery stays: it is not labelled as of this stack" in dynamic.said()


@pytest.mark.parametrize("owner", [None, "another-stack", SITE["stack"]])
def test_volumes_that_a_scale_down_has_kept_go_where_none_are_to_be_kept(
    owner: str | None, dynamic: Plugin
) -> None:
    """Kubernetes deletes only those of the units that were left."""
    ours = [thing("data-etcd-3", IDENTITY), thing("data-etcd-4", IDENTITY)]
    others = [thing("data-kv-0", BESIDE), thing("data-etcd-7", {"app": "of-another-chart"})]
    with Namespace.running(owner=owner, objects={CLAIM: [*ours, *others]}) as namespace:
        end(namespace, dynamic)
    assert namespace.names == {"data-kv-0", "data-etcd-7"}


@pytest.mark.parametrize("owner", [None, SITE["stack"]])
def test_volumes_that_are_to_be_kept_stay_and_so_does_their_namespace(
    owner: str | None, dynamic: Plugin
) -> None:
    with Namespace.running(
        owner=owner, objects={CLAIM: [thing("data-etcd-0", IDENTITY)]}
    ) as namespace:
        end(namespace, dynamic, retain=True)
    assert namespace.names == {"data-etcd-0"}
