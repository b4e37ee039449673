"""What `python -m lab status` looks at: every part by what it answers, not by its process alone."""

import random
import socket
import struct
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from lab import api, docker, env, processes
from lab.addresses import Addresses
from lab.registry import REGISTRY_PORT
from lab.state import Lab, begun_in_this_boot

PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
    "coredns",
    "registry",
    "dockerd",
    "agent",
)
"""Every program that a complete lab runs."""

_ANSWER_SECONDS = 5
"""How long the name server and the registry may take: on a busy machine longer than a second."""

FILES = "files"
"""The part that can be made again in a lab that is otherwise well."""


@dataclass(frozen=True)
class Check:
    """One line of the status table."""

    part: str
    problem: str
    """Why the part is not well; empty where it is."""
    may_pass: bool = False
    """Whether it may be well again: its program does not answer (yet), or can be started again."""


def check(lab: Lab, addresses: Addresses) -> list[Check]:
    """Return one check for every part of a lab that has been begun."""
    if not begun_in_this_boot(lab):
        return [Check("lab", "the machine has been restarted since the lab was brought up")]
    found = {process.name: process for process in processes.recorded(lab)}
    checks = [Check(name, _process_problem(found.get(name)), name in found) for name in PROGRAMS]
    probes: dict[str, Callable[[], str]] = {
        "API": lambda: api.problem(lab, api.api_problem),
        "node": lambda: api.problem(lab, api.node_problem),
        "DNS": lambda: dns_problem(addresses),
        "image registry": lambda: registry_problem(addresses),
        "Docker Engine": lambda: docker.problem(lab.docker_socket),
    }
    checks += [Check(part, problem(), may_pass=True) for part, problem in probes.items()]
    return [*checks, Check(FILES, env.problem(lab))]


def dns_problem(addresses: Addresses) -> str:
    """Return why the cluster's DNS does not know the API's Service, or nothing."""
    labels = (b"kubernetes", b"default", b"svc", b"cluster", b"local")
    name = b"".join(bytes([len(label)]) + label for label in labels)
    # Header of a standard query with one question; type A, class IN.
    query = struct.pack(">6H", random.getrandbits(16), 0x0100, 1, 0, 0, 0) + name + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(_ANSWER_SECONDS)
        try:
            line.connect((str(addresses.node), 53))
            line.send(query)
            reply = line.recv(512)
        except OSError as error:
            return f"{addresses.node}:53 does not answer: {error}"
    code, answers = reply[3] & 0xF, struct.unpack(">H", reply[6:8])[0]
    if reply[:2] != query[:2] or code or not answers:
        return f"no address for kubernetes.default (DNS code {code}, {answers} answers)"
    return ""


def registry_problem(addresses: Addresses) -> str:
    """Return why the registry does not answer, or nothing."""
    url = f"http://{addresses.node}:{REGISTRY_PORT}/v2/"
    # The host reaches the node directly, whatever proxy the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=_ANSWER_SECONDS).close()
    except OSError as error:
        return f"{url} does not answer: {error}"
    return ""


def _process_problem(process: processes.Process | None) -> str:
    if process is None:
        return "it was never started"
    return "" if process.alive else f"process {process.pid} has ended"
