"""Kubernetes as the sequences see it: scale, pods, volumes, exec. Thin, without decisions."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from kubernetes import client
from kubernetes.client import ApiException
from kubernetes.stream import stream
from websocket import WebSocketException

from components.kube import denial, events, eviction, secret
from components.kube.claims import claim_name, going_disks
from components.kube.connection import connected
from components.kube.errors import ExecError, NoExecError, gone_is_fine, unless
from components.kube.pods import (
    ending,
    gated,
    newest_revision,
    of_stateful_set,
    pull_failed,
    ready,
    running,
)
from components.kube.troubles import node_problem, trouble, unexplained, words
from components.names import CONTAINER, GATE, UNFINISHED
from components.site import Site
from containers.etcd.supervisor.kubernetes import LEAVING_ANNOTATION

_ENDED = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
"""The answers about a pod that is gone, or in whose place another one has come."""


def printed(out: str, err: str, code: int) -> str:
    """What a command has printed. Pure. Raises ExecError if it has failed.

    An exit code with output is no error: `etcdctl endpoint status` prints who has answered and ends
    with 1 when one member has not. Where none has, it prints `null` for its empty list.
    """
    if code and out.strip() in ("", "null"):
        raise ExecError(err.strip() or f"exit code {code}")
    return out


class Kube:
    """One namespace of one Kubernetes cluster, through the official client.

    Raises SequenceError for a kubeconfig that cannot be used.
    """

    def __init__(self, kubeconfig: str, site: Site, *, patient: bool = True) -> None:
        """`patient`: bear with an API that is away for a moment. Not where it is the first to be
        asked, and a person waits to hear whether there is one."""
        self.site = site
        self._api = connected(kubeconfig, site.context, patient=patient)
        # Any: the client's models have every field optional, although the API always sets these.
        self.core: Any = client.CoreV1Api(self._api)
        self.apps: Any = client.AppsV1Api(self._api)

    def version(self) -> Any:
        """Kubernetes' version: the first question, since it does not wait long for an answer."""
        return client.VersionApi(self._api).get_code(_request_timeout=10)

    def namespace(self) -> Any:
        """The namespace; None if there is no such."""
        return unless(HTTPStatus.NOT_FOUND, lambda: self.core.read_namespace(self.site.namespace))

    # ------------------------------------------------------------ workloads

    def scale(self, stateful_set: str, replicas: int) -> None:
        """Set the replicas through the scale subresource: its one writer after creation."""
        body = {"spec": {"replicas": replicas}}
        self.apps.patch_namespaced_stateful_set_scale(stateful_set, self.site.namespace, body)

    def stateful_set(self, name: str) -> Any:
        return self.apps.read_namespaced_stateful_set(name, self.site.namespace)

    def stateful_set_if_there(self, name: str) -> Any:
        """None if there is none."""
        return unless(HTTPStatus.NOT_FOUND, lambda: self.stateful_set(name))

    def made_at(self, stateful_set: str) -> datetime | None:
        """When it was made; None if it is not there."""
        found = self.stateful_set_if_there(stateful_set)
        return None if found is None else found.metadata.creation_timestamp

    def newest_revision(self, stateful_set: str) -> str | None:
        """See `pods.newest_revision`; None, too, if it is not there."""
        found = self.stateful_set_if_there(stateful_set)
        return None if found is None else newest_revision(found)

    def announce(self, stateful_set: str, leaving: int | None) -> None:
        """Note on the StatefulSet which ordinal is leaving; None takes the note away."""
        value = None if leaving is None else str(leaving)
        body = {"metadata": {"annotations": {LEAVING_ANNOTATION: value}}}
        self.apps.patch_namespaced_stateful_set(stateful_set, self.site.namespace, body)

    def note_unfinished(self, sequence: str, *, unfinished: bool) -> None:
        """Note for the next `up` that a sequence is under way, or take the note away."""
        note = {f"{UNFINISHED}{sequence}": "true" if unfinished else None}
        policy: Any = client.PolicyV1Api(self._api)
        policy.patch_namespaced_pod_disruption_budget(
            self.site.units, self.site.namespace, {"metadata": {"annotations": note}}
        )

    def pods(self, stateful_set: str) -> list[Any]:
        """The pods of a StatefulSet, by ordinal."""
        return of_stateful_set(
            self.core.list_namespaced_pod(self.site.namespace).items, stateful_set
        )

    def pods_and_time(self) -> tuple[list[Any], datetime]:
        """All pods of the namespace, and the time by the API server's clock, whole seconds."""
        found, _, headers = self.core.list_namespaced_pod_with_http_info(self.site.namespace)
        return found.items, parsedate_to_datetime(headers["Date"])

    def delete_pod(self, pod: Any) -> None:
        """End a pod in its own time; gone already is no error.

        This very pod: where the answer is lost and it is asked again, one of the same name may have
        come up in its place.
        """
        self._delete(self.core.delete_namespaced_pod, pod)

    def evict_pod(self, pod: Any) -> None:
        """The same as `delete_pod`, if the pod's disruption budget allows it.

        Raises DeferredError while it does not, and SequenceError where the pod has several.
        """
        name = pod.metadata.name
        api: Any = self._api
        try:
            answer = api.call_api(
                "/api/v1/namespaces/{namespace}/pods/{name}/eviction",
                "POST",
                {"namespace": self.site.namespace, "name": name},
                body=eviction.request(pod),
                # The client's own method has it for an Eviction, and a refusal in it is lost.
                response_type="object",
                auth_settings=["BearerToken"],
                _return_http_data_only=True,
            )
            eviction.require_done(answer)
        except ApiException as error:
            if error.status not in _ENDED:
                eviction.require_no_budget(error, self.site, name)
                raise

    def release(self, pods: Iterable[Any]) -> None:
        """Take the scheduling gate off those pods that still have it; gone already is no error."""
        body = {"spec": {"schedulingGates": [{"$patch": "delete", "name": GATE}]}}
        for pod in filter(gated, pods):
            with gone_is_fine():
                self.core.patch_namespaced_pod(pod.metadata.name, self.site.namespace, body)

    def unlabel(self, pod: str, label: str) -> None:
        """Take a label off a pod; gone already is no error."""
        body = {"metadata": {"labels": {label: None}}}
        with gone_is_fine():
            self.core.patch_namespaced_pod(pod, self.site.namespace, body)

    def refusal(self, stateful_set: str) -> str:
        """Kubernetes' newest reason for not making a pod (a quota, an admission), or nothing."""
        found = self.events(f"involvedObject.name={stateful_set},reason=FailedCreate")
        return f" ({found[-1].message})" if found else ""

    def failed_pulls(self, pods: Iterable[Any]) -> dict[str, int]:
        """See `events.failed_pulls`; asked for only where one of these pods waits for its image."""
        if not any(pull_failed(pod) for pod in pods):
            return {}
        return events.failed_pulls(self.events("involvedObject.kind=Pod,reason=Failed"))

    def events(self, selector: str) -> list[Any]:
        """The namespace's events, by a field selector."""
        return self.core.list_namespaced_event(self.site.namespace, field_selector=selector).items

    def troubles(
        self, pods: Iterable[Any], silent: Container[str] = (), *, still: bool = True
    ) -> list[str]:
        """What is known of those pods that are not ready, their nodes' state included.

        `silent`: the units in which no etcd has answered; their supervisors are asked. `still`: for
        long there was no news, so that events are asked for, where a pod says nothing of itself.
        """
        found = list(pods)
        problems = self._node_problems(found)
        asked = self.supervisor_statuses(p for p in found if p.metadata.name in silent)
        said = {name: words(status, "units") for name, status in asked.items()}
        warnings = self._warnings(found) if still else {}

        def told(pod: Any) -> str | None:
            name = pod.metadata.name
            return trouble(
                pod, problems.get(pod.spec.node_name), said.get(name), warnings.get(name)
            )

        return [text for text in map(told, found) if text]

    def _warnings(self, pods: Iterable[Any]) -> dict[str, str | None]:
        """The newest of those that do not run and do not say why, by pod; one question for all.
        Nothing where this user may not list events."""
        mute = [pod for pod in pods if unexplained(pod)]
        if not mute:
            return {}
        found = unless(HTTPStatus.FORBIDDEN, lambda: self.events("type=Warning")) or []
        return {pod.metadata.name: events.newest_warning(found, pod) for pod in mute}

    def has_many_nodes(self) -> bool:
        """Whether pods could be elsewhere; no where this user may not read nodes."""
        found = unless(HTTPStatus.FORBIDDEN, lambda: self.core.list_node(limit=2).items)
        return len(found or []) > 1

    def _node_problems(self, pods: Iterable[Any]) -> dict[str, str | None]:
        """By node, for those under pods that are not ready."""
        nodes = {pod.spec.node_name for pod in pods if pod.spec.node_name and not ready(pod)}
        return {node: self._node_problem(node) for node in nodes}

    def _node_problem(self, name: str) -> str | None:
        """Nothing where this user may not read nodes."""
        try:
            node = unless(HTTPStatus.FORBIDDEN, lambda: self.core.read_node(name))
        except ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return f"node {name} is gone"
        return None if node is None else node_problem(node)

    # ------------------------------------------------------------ volumes

    def volumes(self, stateful_set: str) -> list[Any]:
        """The claims of a StatefulSet's pods, by ordinal."""
        found = self.core.list_namespaced_persistent_volume_claim(self.site.namespace).items
        return of_stateful_set(found, claim_name(stateful_set))

    def staying_volumes(self, stateful_set: str) -> list[Any]:
        """Those of them that nobody has asked to delete."""
        return [c for c in self.volumes(stateful_set) if not ending(c)]

    def disks(self, workloads: Iterable[str]) -> list[str]:
        """The disks that are there still and go with the claims of these workloads.

        Nothing where this user may not list them.
        """
        found = unless(HTTPStatus.FORBIDDEN, lambda: self.core.list_persistent_volume().items)
        return going_disks(found or [], self.site.namespace, workloads)

    def delete_volume(self, claim: Any) -> None:
        """Delete this very claim, as `delete_pod` does; gone already is no error."""
        self._delete(self.core.delete_namespaced_persistent_volume_claim, claim)

    def annotate_volume(self, name: str, annotations: Mapping[str, str | None]) -> None:
        """Set annotations; None takes one away. A claim that is gone already is no error: one that
        was deleted may have been there when it was looked for."""
        body = {"metadata": {"annotations": dict(annotations)}}
        with gone_is_fine():
            self.core.patch_namespaced_persistent_volume_claim(name, self.site.namespace, body)

    # ------------------------------------------------------------ secrets

    def secret_if_there(self, name: str) -> Any:
        """Whosever it is; None if there is none."""
        return unless(
            HTTPStatus.NOT_FOUND,
            lambda: self.core.read_namespaced_secret(name, self.site.namespace),
        )

    def read_secret(self, name: str) -> dict[str, str]:
        """What our Secret holds; empty if there is none. Raises as `secret.held` does."""
        found = self.secret_if_there(name)
        return {} if found is None else secret.held(self.site, found)

    def write_secret(self, name: str, data: Mapping[str, str]) -> None:
        """Create our Secret, or replace what it holds. Raises as `secret.held` does."""
        body = secret.manifest(self.site, name, data)
        try:
            self.core.create_namespaced_secret(self.site.namespace, body)
        except ApiException as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self.read_secret(name)
            self.core.replace_namespaced_secret(name, self.site.namespace, body)

    def delete_secret(self, name: str) -> bool:
        """Whether it is gone; one that is not ours stays."""
        found = self.secret_if_there(name)
        if found is not None and self.site.owns(found):
            self._delete(self.core.delete_namespaced_secret, found)
        return found is None or self.site.owns(found)

    def _delete(self, call: Callable[..., Any], found: Any) -> None:
        """By its unique ID: one that has come in its place is refused as a conflict."""
        metadata = found.metadata
        body = {"preconditions": {"uid": metadata.uid}}
        try:
            call(metadata.name, self.site.namespace, body=body)
        except ApiException as error:
            if error.status not in _ENDED:
                raise

    # ------------------------------------------------------------ exec

    def exec(self, pod: str, *command: str, seconds: float = 10.0) -> str:
        """Run a command in a pod's container and return what it prints.

        Raises ExecError if the command has failed, NoExecError if it could not be run, and
        SequenceError where that is forbidden. An exit code with output is no error: see `printed`.
        """
        # A client of its own: while it runs, `stream` turns the one it is given into one for
        # websockets, and commands may run side by side.
        own: Any = client.CoreV1Api(copy(self._api))
        try:
            session = stream(
                own.connect_get_namespaced_pod_exec,
                pod,
                self.site.namespace,
                container=CONTAINER,
                command=list(command),
                stdout=True,
                stderr=True,
                _preload_content=False,
                _request_timeout=seconds,
            )
            session.run_forever(timeout=seconds)
            if session.is_open():
                session.close()
                raise NoExecError(f"no answer from pod {pod} within {seconds:.0f} s")
            out, err = session.read_stdout(timeout=0), session.read_stderr(timeout=0)
            code = session.returncode
        except (ApiException, OSError, TypeError, ValueError, WebSocketException) as error:
            denial.require_none(error, self.site, pod)
            # The client reads an exit code from every end: from "container not found", which has
            # none (ValueError), and from a connection that was cut, which says nothing (TypeError).
            reason = " ".join(str(error).split())
            raise NoExecError(f"cannot run a command in pod {pod}: {reason}") from None
        return printed(out or "", err or "", code)

    def supervisor_status(self, pod: str) -> dict[str, Any]:
        """What the pod's supervisor says of itself; empty if it does not answer."""
        try:
            return json.loads(self.exec(pod, "python3", "-m", "supervisor", "status"))
        except (ExecError, ValueError):
            return {}

    def supervisor_statuses(self, pods: Iterable[Any]) -> dict[str, dict[str, Any]]:
        """The same of those among these pods that run and are not ready, by pod.

        Asked at once, since a kubelet that stands still keeps the question for 10 s; not on a node
        that is known to be down.
        """
        found = [pod for pod in pods if running(pod) and not ready(pod)]
        problems = self._node_problems(found)
        names = [p.metadata.name for p in found if problems.get(p.spec.node_name) is None]
        with ThreadPoolExecutor(max_workers=len(names) or 1) as at_once:
            return dict(zip(names, at_once.map(self.supervisor_status, names), strict=True))
