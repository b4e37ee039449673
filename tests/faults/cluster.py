"""The cluster that the faults are made to: one stack on a lab, looked at quickly and often."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

from kubernetes import client
from urllib3.exceptions import HTTPError

from lab import api, tools
from lab.addresses import Addresses
from lab.state import Lab, read_addresses
from tests.faults.etcd_api import Listed, NoAnswerError, Said, listed, said
from tests.faults.injection.pod_processes import Container, NotRunningError, container_of
from tests.support.stack import Stack


def unit_names(count: int) -> tuple[str, ...]:
    return tuple(f"etcd-{ordinal}" for ordinal in range(count))


UNITS = unit_names(3)
"""The units with which every scenario begins."""
SEEDS = ("etcd-seed-0", "etcd-seed-1", "etcd-seed-2")
MEMBERS = (*unit_names(7), *SEEDS)
"""All that there may be."""

API_FAILURES = (client.ApiException, HTTPError, OSError)
"""What the official client raises when the API does not answer, or refuses."""

_ANSWER_SECONDS = 5
_RECOVERY_SECONDS = 20.0


class UnwellError(Exception):
    """The cluster is not as it must be for what was asked; the text says how it is."""


class Cluster:
    """The units, their pods, processes and members."""

    def __init__(self, lab: Lab, stack: Stack) -> None:
        addresses = read_addresses(lab)
        assert addresses is not None, "the lab is up"
        self.lab = lab
        self.stack = stack
        self.units = UNITS
        """Those that are wanted now."""
        self._first_config = deepcopy(stack.config)
        self.addresses: Addresses = addresses
        self._api = api.connect(lab.admin_config)
        self._core = client.CoreV1Api(self._api)
        self.writer_binary: Path = tools.ensure(["writer"])["writer"]

    # ------------------------------------------------------------ pods

    def pods(self) -> dict[str, dict[str, Any]]:
        """All pods of the namespace by name, as they are on the wire."""
        found = self._core.list_namespaced_pod(
            self.stack.namespace, _request_timeout=_ANSWER_SECONDS
        )
        items: list[dict[str, Any]] = api.as_json(self._api, found)["items"]
        return {pod["metadata"]["name"]: pod for pod in items}

    def pod(self, name: str) -> dict[str, Any]:
        """Raises UnwellError if there is none."""
        pods = self.pods()
        if name not in pods:
            raise UnwellError(f"there is no pod {name}, only {sorted(pods)}")
        return pods[name]

    def container(self, pod: str) -> Container:
        """Raises UnwellError if there is no such pod, NotRunningError if it runs none now."""
        return container_of(self.addresses, self.pod(pod))

    def runs(self, pod: str) -> bool:
        found = self.pods().get(pod)
        return found is not None and is_running(found)

    def seems_ready(self, pod: str) -> bool:
        """Whether the Service leads clients to it."""
        found = self.pods().get(pod)
        return found is not None and is_ready(found)

    def lose_disk(self, pod: str) -> str:
        """Delete a pod with its volume; returns the pod's uid, which is never used again."""
        uid = self.pod(pod)["metadata"]["uid"]
        # A claim that is in use goes when its pod has gone.
        self.stack.kubectl("delete", "pvc", f"data-{pod}", "--wait=false")
        self.stack.kubectl("delete", "pod", pod, "--wait=false")
        return uid

    def is_new(self, pod: str, uid: str) -> bool:
        """Whether a pod of this name runs that is not the one with this uid."""
        found = self.pods().get(pod)
        return found is not None and found["metadata"]["uid"] != uid and is_running(found)

    def running(self, names: Collection[str]) -> list[str]:
        """The uids of those of these pods that run."""
        pods = self.pods()
        return [pods[n]["metadata"]["uid"] for n in names if n in pods and is_running(pods[n])]

    def bootstrap_token(self) -> str:
        """The token that seeds find when they start; empty if there is none."""
        try:
            found = self._core.read_namespaced_secret(
                "etcd-discovery", self.stack.namespace, _request_timeout=_ANSWER_SECONDS
            )
        except client.ApiException as error:
            if error.status != 404:
                raise
            return ""
        data: dict[str, str] = api.as_json(self._api, found).get("data") or {}
        return data.get("token", "")

    def has_service(self) -> bool:
        found = self._core.list_namespaced_service(
            self.stack.namespace, _request_timeout=_ANSWER_SECONDS
        )
        items: list[dict[str, Any]] = api.as_json(self._api, found)["items"]
        return any(service["metadata"]["name"] == "etcd" for service in items)

    # ------------------------------------------------------------ members

    def endpoint(self, pod: str) -> str:
        """A member's own client URL, by its pod's address. Raises UnwellError."""
        return url_of(self.pod(pod))

    def endpoints(self, members: Iterable[str] | None = None) -> list[str]:
        """Of every one of these (else the units) that has an address."""
        pods = self.pods()
        asked = self.units if members is None else members
        return [url_of(pods[m]) for m in asked if m in pods and _address(pods[m])]

    def said(self, members: Collection[str] | None = None) -> dict[str, Said]:
        """What every one of these (else the units) that answers says of itself, by pod."""
        answers: dict[str, Said] = {}
        asked = self.units if members is None else members
        for name, pod in self.pods().items():
            if name in asked and _address(pod):
                try:
                    answers[name] = said(url_of(pod))
                except NoAnswerError:
                    continue
        return answers

    def leader(self) -> str:
        """The pod that leads. Raises UnwellError when none, or more than one, says so."""
        answers = self.said()
        leaders = [pod for pod, answer in answers.items() if answer.leader == answer.id]
        if len(leaders) != 1:
            raise UnwellError(f"{len(leaders)} units say that they lead: {answers}")
        return leaders[0]

    def follower(self) -> str:
        """A unit that does not lead."""
        leader = self.leader()
        return next(unit for unit in self.units if unit != leader)

    def with_role(self, role: str) -> str:
        """The pod that leads, for `leader`; one that does not, for `follower`."""
        return {"leader": self.leader, "follower": self.follower}[role]()

    def members(self) -> dict[str, Listed]:
        """The list by pod, as a unit that votes has it. Raises UnwellError if nobody answers."""
        for pod, answer in self.said().items():
            if not answer.learner:
                return {m.pod: m for m in listed(self.endpoint(pod))}
        raise UnwellError("no unit answers")

    def ids(self) -> dict[str, str]:
        """Every member's ID by its pod."""
        return {pod: member.id for pod, member in self.members().items()}

    # ------------------------------------------------------------ from nothing and back

    def want(self, count: int) -> None:
        """So many units in the stack's config: the next `up` brings them."""
        self.units = unit_names(count)
        # Fewer units than seeds are refused, also when the seeds are long gone.
        self.stack.set(units={"count": count}, seeds={"count": min(count, len(SEEDS))})

    def reset(self) -> None:
        """End everything: the next `up` begins from nothing, with the first config."""
        self._put_config_back()
        self.stack.remove_objects()

    def make_well(self) -> None:
        """Make sure that a balanced cluster of the first config is there; a new one where the old
        one is not well."""
        if self._put_config_back() and self.stack.pulumi("up", "--yes", "--skip-preview").code:
            self.reset()
            self.stack.up()
        deadline = time.monotonic() + _RECOVERY_SECONDS
        while self.problem() or not self._knows_containers():
            if time.monotonic() > deadline:
                self.reset()
                self.stack.up()
                deadline = time.monotonic() + _RECOVERY_SECONDS
            time.sleep(0.2)

    def _knows_containers(self) -> bool:
        """Whether Kubernetes has the containers that run. After an outage of its API it has for
        some seconds those of before: the kubelet reports again every 10 s."""
        try:
            for unit in self.units:
                self.container(unit)
        except (*API_FAILURES, UnwellError, NotRunningError):
            return False
        return True

    def _put_config_back(self) -> bool:
        """Write the first config; whether a scenario has left another one."""
        changed = self.stack.config != self._first_config
        self.units = UNITS
        self.stack.config = deepcopy(self._first_config)
        self.stack.set()
        return changed

    # ------------------------------------------------------------ is all well?

    def problem(self) -> str:
        """Why the cluster is not exactly its units, all of them voting and ready; or nothing."""
        try:
            pods = self.pods()
            answers = self.said()
            members = self.members()
        except (*API_FAILURES, UnwellError, NoAnswerError) as error:
            return f"it does not answer: {error}"
        unready = [unit for unit in self.units if unit not in pods or not is_ready(pods[unit])]
        silent = [unit for unit in self.units if unit not in answers]
        learners = [pod for pod, member in members.items() if member.learner]
        views = {(a.cluster_id, a.leader, a.term) for a in answers.values()}
        problems = {
            f"not ready: {', '.join(unready)}": unready,
            f"no answer from {', '.join(silent)}": silent,
            f"learners: {', '.join(learners)}": learners,
            f"the list is {sorted(members)}": sorted(members) != sorted(self.units),
            f"the members do not agree: {answers}": len(views) > 1,
            "there is no leader": any(leader == "0" for _, leader, _ in views),
        }
        return "; ".join(what for what, holds in problems.items() if holds)


def is_running(pod: dict[str, Any]) -> bool:
    """Whether its container runs, ready or not, and it is not being ended."""
    (state,) = pod["status"].get("containerStatuses") or [{}]
    return "running" in state.get("state", {}) and not pod["metadata"].get("deletionTimestamp")


def is_ready(pod: dict[str, Any]) -> bool:
    (state,) = pod["status"].get("containerStatuses") or [{}]
    return bool(state.get("ready")) and is_running(pod)


def restarts(pod: dict[str, Any]) -> int:
    (state,) = pod["status"].get("containerStatuses") or [{}]
    return int(state.get("restartCount", 0))


def url_of(pod: dict[str, Any]) -> str:
    """Raises UnwellError while the pod has no address."""
    address = _address(pod)
    if not address:
        raise UnwellError(f"pod {pod['metadata']['name']} has no address")
    return f"http://{address}:2379"


def _address(pod: dict[str, Any]) -> str:
    return pod["status"].get("podIP", "")
