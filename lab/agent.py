"""The process that plays the cloud: makes volumes and hands out load-balancer addresses.

    python -m lab.agent NAME

It holds no state: whatever it missed while the API server or itself was away, it finds in the list
with which every watch begins.
"""

import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from typing import Any, cast

from kubernetes import client, watch
from urllib3.exceptions import HTTPError

from lab import loadbalancer, volumes
from lab.addresses import Addresses
from lab.api import as_json, connect
from lab.certificates import NODE_NAME
from lab.errors import LabError
from lab.state import Lab, read_addresses

LOG = logging.getLogger("agent")

Object = dict[str, Any]

_WATCH_SECONDS = 300
_RETRY_SECONDS = 0.2


class VolumeAgent:
    """Makes the volume that a claim waits for and removes the volume that nobody claims."""

    def __init__(self, lab: Lab, api: client.ApiClient) -> None:
        self._folder = lab.volumes
        self._core = client.CoreV1Api(api)
        self._storage: Any = client.StorageV1Api(api)  # Any: its methods return one of many types

    def on_claim(self, claim: Object, _known: dict[str, Object]) -> None:
        if not volumes.wants_volume(claim):
            return
        name = claim["spec"]["storageClassName"]
        policy = self._storage.read_storage_class(name).reclaim_policy or "Delete"
        volume = volumes.volume_for(claim, policy, NODE_NAME, self._folder)
        (self._folder / volume["metadata"]["name"]).mkdir(mode=0o755, parents=True, exist_ok=True)
        try:
            self._core.create_persistent_volume(volume)
        except client.ApiException as error:
            if error.status != 409:  # 409: made before a restart of this process
                raise
        LOG.info("volume %s made for %s", volume["metadata"]["name"], claim["metadata"]["name"])

    def on_volume(self, volume: Object, _known: dict[str, Object]) -> None:
        if not volumes.is_to_be_deleted(volume):
            return
        name = volume["metadata"]["name"]
        # By name below our own folder, never by the path that the object carries.
        shutil.rmtree(self._folder / name, ignore_errors=True)
        try:
            self._core.delete_persistent_volume(name)
        except client.ApiException as error:
            if error.status != 404:
                raise
        LOG.info("volume %s removed", name)


class LoadBalancerAgent:
    """Writes load-balancer addresses into the status of Services."""

    def __init__(self, pool: IPv4Network, api: client.ApiClient) -> None:
        self._pool = pool
        self._core = client.CoreV1Api(api)

    def on_service(self, service: Object, known: dict[str, Object]) -> None:
        due = loadbalancer.addresses_due(service, known.values(), self._pool)
        if due == loadbalancer.addresses_of(service):
            return
        metadata = service["metadata"]
        status = {"loadBalancer": {"ingress": [{"ip": ip, "ipMode": "VIP"} for ip in due] or None}}
        self._core.patch_namespaced_service_status(
            metadata["name"], metadata["namespace"], {"status": status}
        )
        # Until the watch shows it, the address is taken all the same.
        service["status"] = status
        LOG.info("%s/%s has %s", metadata["namespace"], metadata["name"], due or "no address")


def follow(
    api: client.ApiClient,
    listing: Callable[..., Any],
    react: Callable[[Object, dict[str, Object]], None],
) -> None:
    """Call `react` with every object of a kind, now and whenever one changes; never return.

    `react` also gets all objects known at that time, by uid. Whatever goes wrong is logged, and
    the objects are read anew.
    """
    while True:
        try:
            _follow_once(api, listing, react)
        except (client.ApiException, HTTPError, OSError) as error:
            LOG.warning("reading again after: %s", str(error).splitlines()[0])
            time.sleep(_RETRY_SECONDS)


def _follow_once(
    api: client.ApiClient,
    listing: Callable[..., Any],
    react: Callable[[Object, dict[str, Object]], None],
) -> None:
    first = as_json(api, listing(_request_timeout=5))
    known: dict[str, Object] = {item["metadata"]["uid"]: item for item in first["items"] or []}
    for item in list(known.values()):
        react(item, known)
    stream = watch.Watch().stream(
        listing,
        resource_version=first["metadata"]["resourceVersion"],
        timeout_seconds=_WATCH_SECONDS,
        _request_timeout=(2, _WATCH_SECONDS + 10),
    )
    # An ERROR, as when the list is too old to go on from, is raised by the Watch. Only where it
    # also deserializes: without that it ends with a KeyError there (kubernetes 35.0.0).
    for event in cast("Iterator[Object]", stream):
        item: Object = event["raw_object"]
        uid = item["metadata"]["uid"]
        if event["type"] == "DELETED":
            known.pop(uid, None)
        else:
            known[uid] = item
            react(item, known)


def run(lab: Lab, addresses: Addresses) -> None:
    """Follow claims, volumes and Services until the process is ended."""
    api = connect(lab.admin_config)
    core = client.CoreV1Api(api)
    disks = VolumeAgent(lab, api)
    balancer = LoadBalancerAgent(addresses.load_balancers, api)
    for listing, react in (
        (core.list_persistent_volume_claim_for_all_namespaces, disks.on_claim),
        (core.list_persistent_volume, disks.on_volume),
        (core.list_service_for_all_namespaces, balancer.on_service),
    ):
        threading.Thread(target=follow, args=(api, listing, react), daemon=True).start()
    threading.Event().wait()


def main(name: str) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    lab = Lab(name)
    addresses = read_addresses(lab)
    if addresses is None:
        raise LabError(f"There is no lab named {name}.", "python -m lab up")
    run(lab, addresses)


if __name__ == "__main__":
    main(sys.argv[1])
