"""The lab itself, on the real machine. It needs root; its labs are named t-*."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, utils

from lab import api, controlplane, health, images, lifecycle, processes, tools
from lab.addresses import Addresses
from lab.node import PAUSE_IMAGE
from lab.state import CHECKOUT, Lab, read_addresses
from tests.support.machine import traces, traces_left
from tests.support.stack import until

FIRST, SECOND, KILLED = "t-first", "t-second", "t-killed"
IMAGE = "localhost:5000/t-python:1"
USER = 65532


@dataclass(frozen=True)
class Running:
    """A lab that is up, with what the tests ask of it."""

    lab: Lab
    addresses: Addresses
    api: client.ApiClient

    @property
    def core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.api)


@pytest.fixture(scope="module")
def clean_machine() -> Generator[None]:
    """Remove the labs of this file, also those that an earlier, killed run of it left."""
    for name in (FIRST, SECOND, KILLED):
        lifecycle.down(name)
    yield
    for name in (FIRST, SECOND, KILLED):
        lifecycle.down(name)


@pytest.fixture(scope="module")
def labs(clean_machine: None) -> tuple[Running, Running]:
    """Return two labs that were brought up at the same time."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(_bring_up, (FIRST, SECOND))
    return first, second


@pytest.fixture(scope="module")
def first(labs: tuple[Running, Running]) -> Running:
    return labs[0]


@pytest.fixture(scope="module")
def image(first: Running) -> str:
    """Return the name of an image with Python that was pushed to the first lab's registry."""
    docker = tools.ensure(["docker"])["docker"]
    environment = {**os.environ, "DOCKER_HOST": f"unix://{first.lab.docker_socket}"}
    for command in (["tag", images.python_base(print)[0], IMAGE], ["push", IMAGE]):
        subprocess.run([docker, *command], env=environment, check=True, capture_output=True)
    return IMAGE


def test_two_labs_share_no_process_address_folder_or_object(
    labs: tuple[Running, Running],
) -> None:
    one, other = labs
    assert one.addresses != other.addresses
    assert one.lab.state != other.lab.state
    assert not _pids(one.addresses) & _pids(other.addresses)
    one.core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="only-here")))
    assert "only-here" not in [
        _name(item) for item in api.as_json(other.api, other.core.list_namespace())["items"]
    ]
    _soon(lambda: all(not check.problem for running in labs for check in _checks(running)))


def test_a_second_up_changes_nothing(first: Running) -> None:
    before = processes.recorded(first.lab)
    kubeconfig = first.lab.kubeconfig.stat().st_mtime_ns
    lifecycle.up(FIRST)
    assert processes.recorded(first.lab) == before
    assert first.lab.kubeconfig.stat().st_mtime_ns == kubeconfig


def test_up_writes_lost_files_again_and_keeps_the_cluster(first: Running) -> None:
    before = processes.recorded(first.lab)
    content = first.lab.kubeconfig.read_text()
    shutil.rmtree(first.lab.files)
    lifecycle.up(FIRST)
    assert processes.recorded(first.lab) == before
    assert first.lab.kubeconfig.read_text() == content


def test_up_waits_for_a_part_that_answers_late_and_keeps_the_cluster(
    first: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dns,) = (one for one in processes.recorded(first.lab) if one.name == "coredns")
    before = processes.recorded(first.lab)
    ill: list[str] = []

    def until_it_is_missed(*lab: Any) -> list[health.Check]:
        found = check(*lab)
        ill.extend(one.part for one in found if one.problem)
        os.kill(dns.pid, signal.SIGCONT)
        return found

    check = health.check
    monkeypatch.setattr(health, "check", until_it_is_missed)
    os.kill(dns.pid, signal.SIGSTOP)
    lifecycle.up(FIRST)
    assert "DNS" in ill
    assert processes.recorded(first.lab) == before


def test_kubectl_needs_nothing_but_the_kubeconfig(first: Running, tmp_path: Path) -> None:
    kubectl = tools.ensure(["kubectl"])["kubectl"]
    config = yaml.safe_load(first.lab.kubeconfig.read_text())
    assert config["current-context"] == "etcd-lab"
    assert first.lab.kubeconfig.stat().st_mode & 0o077 == 0
    command = [kubectl, "--kubeconfig", first.lab.kubeconfig, "get", "nodes", "-o", "name"]
    # Without a home folder kubectl keeps what it has learned in the current one.
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={}, cwd=tmp_path)
    assert done.stdout == "node/lab\n"
    assert done.stderr == ""


@pytest.mark.parametrize("binding_mode", ["Immediate", "WaitForFirstConsumer"])
def test_a_pushed_image_serves_what_it_wrote_to_its_volume_as_its_own_group(
    first: Running, image: str, binding_mode: str
) -> None:
    name = f"web-{binding_mode.lower()}"
    storage = client.StorageV1Api(first.api)
    storage.create_storage_class(
        {
            "metadata": {"name": name},
            "provisioner": "lab.etcd/local",
            "volumeBindingMode": binding_mode,
        }
    )
    utils.create_from_yaml(first.api, yaml_objects=_web(name, image))
    volume = _soon(lambda: _volume_of(first, name))
    folder = first.lab.volumes / volume["metadata"]["name"]
    service = _soon(lambda: _with_load_balancer(first, name))
    address = service["status"]["loadBalancer"]["ingress"][0]["ip"]
    assert address in {str(host) for host in first.addresses.load_balancers.hosts()}
    for host in (address, service["spec"]["clusterIP"]):
        assert _soon(lambda host=host: _fetch(f"http://{host}/greeting")) == b"hello"
    assert (folder / "greeting").stat().st_gid == USER

    client.AppsV1Api(first.api).delete_namespaced_stateful_set(name, "default")
    first.core.delete_namespaced_service(name, "default")
    first.core.delete_namespaced_persistent_volume_claim(f"data-{name}-0", "default")
    _soon(lambda: not folder.exists())
    _soon(lambda: _volume_of(first, name) is None)


def test_the_agent_goes_on_after_the_api_server_was_away(first: Running) -> None:
    _kill(first.lab, "kube-apiserver")
    _soon(lambda: api.api_problem(first.api))
    controlplane.start_apiserver(first.lab, first.addresses, tools.ensure(tools.names_for_up()))
    api.wait_ready(first.lab, first.api)
    ports = [client.V1ServicePort(port=80)]
    first.core.create_namespaced_service(
        "default",
        client.V1Service(
            metadata=client.V1ObjectMeta(name="late"),
            spec=client.V1ServiceSpec(type="LoadBalancer", ports=ports),
        ),
    )
    assert _soon(lambda: _with_load_balancer(first, "late"))


def test_status_names_what_died_and_up_repairs_it(labs: tuple[Running, Running]) -> None:
    lab, core = labs[1].lab, labs[1].core
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="stays")))
    assert _command("status", SECOND).returncode == 0
    _kill(lab, "kube-apiserver")
    told = _command("status", SECOND)
    assert told.returncode == 1
    assert "kube-apiserver" in told.stdout
    assert "has ended" in told.stdout
    assert told.stdout.splitlines()[-1] == f"Next: python -m lab up --name {SECOND}"
    assert "Traceback" not in told.stderr
    for program in ("dockerd", "containerd", "kubelet", "registry", "etcd", "agent"):
        _kill(lab, program)
    lifecycle.up(SECOND)
    assert _command("status", SECOND).returncode == 0
    found = api.as_json(labs[1].api, core.list_namespace())["items"]
    assert "stays" in [_name(item) for item in found], "the cluster is the same"


def test_status_of_no_lab_fails_and_says_what_to_do() -> None:
    told = _command("status", "t-none")
    assert told.returncode == 1
    assert told.stdout.splitlines()[-1] == "Next: python -m lab up --name t-none"


def test_a_labs_programs_hold_nothing_that_their_caller_had_open(clean_machine: None) -> None:
    """A lock, say, which would then be held for as long as the lab lives."""
    reading, writing = os.pipe()
    argv = [sys.executable, "-m", "lab", "up", "--name", KILLED]
    subprocess.run(argv, cwd=CHECKOUT, pass_fds=[writing], capture_output=True, check=True)
    os.close(writing)
    os.set_blocking(reading, False)
    assert os.read(reading, 1) == b"", "the other end is still open somewhere"
    os.close(reading)
    assert _command("down", KILLED).returncode == 0


@pytest.mark.alone
@pytest.mark.parametrize("programs", [0, 3, 6, 9])
def test_down_leaves_nothing_wherever_up_was_killed(clean_machine: None, programs: int) -> None:
    """`programs`: how many of the eleven had been started, not long before the kill."""
    before = traces()
    up = subprocess.Popen(
        [sys.executable, "-m", "lab", "up", "--name", KILLED],
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    until(
        f"{programs} programs to be started",
        lambda: len(processes.recorded(Lab(KILLED))) >= programs or up.poll() is not None,
        look_seconds=0.02,
    )
    delay = random.uniform(0, 0.4)
    print(f"killed {delay:.2f} s after that")
    time.sleep(delay)
    os.killpg(up.pid, signal.SIGKILL)
    assert up.wait() == -signal.SIGKILL, "it had ended before"
    _kill_half(Lab(KILLED))
    assert _command("down", KILLED).returncode == 0
    assert traces_left(before) == set()
    assert not Lab(KILLED).files.exists()


@pytest.mark.alone
def test_down_leaves_nothing_of_running_pods_when_programs_were_killed(
    clean_machine: None,
) -> None:
    before = traces()
    running = _bring_up(KILLED)
    utils.create_from_yaml(running.api, yaml_objects=_pod_with_mounts())
    _soon(lambda: _phase(running, "mounts") == "Running")
    kinds = {line.split()[0] for line in traces() - before}
    assert {"cgroup", "mount", "link", "file", "process"} <= kinds
    # What containerd cleans up after a shim that was killed is less than all.
    shims = [pid for pid in _pids(running.addresses) if "containerd-shim" in _program(pid)]
    bundles = running.lab.state / "run" / "containerd" / "io.containerd.runtime.v2.task"
    known = set(bundles.glob("k8s.io/*"))
    assert shims
    for pid in shims:
        os.kill(pid, signal.SIGKILL)
    _soon(lambda: not known & set(bundles.glob("k8s.io/*")))
    _kill_half(running.lab)
    assert _command("down", KILLED).returncode == 0
    assert traces_left(before) == set()


def _bring_up(name: str) -> Running:
    lab = lifecycle.up(name)
    addresses = read_addresses(lab)
    assert addresses is not None
    return Running(lab, addresses, api.connect(lab.kubeconfig))


def _checks(running: Running) -> list[health.Check]:
    return health.check(running.lab, running.addresses)


def _command(command: str, name: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "lab", command, "--name", name]
    return subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def _pids(addresses: Addresses) -> set[int]:
    """Return the processes of a lab, by the only thing that all of them have: its group."""
    found: set[int] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"/{addresses.kernel_name}/" in (process / "cgroup").read_text():
                found.add(int(process.name))
        except OSError:
            continue
    return found


def _program(pid: int) -> str:
    """Return the name of a process, cut to 15 characters; nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def _kill(lab: Lab, program: str) -> None:
    (process,) = (one for one in processes.recorded(lab) if one.name == program)
    assert process.alive
    os.kill(process.pid, signal.SIGKILL)
    _soon(lambda: not process.alive)


def _kill_half(lab: Lab) -> None:
    """Kill a random half of a lab's processes, of whatever there is of them."""
    addresses = read_addresses(lab)
    pids = sorted(_pids(addresses)) if addresses else []
    for pid in random.sample(pids, len(pids) // 2):
        # A container's processes end with its first one.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _soon(read: Callable[[], Any], timeout_seconds: float = 180) -> Any:
    """Return the first true value of `read`; fail when there is none in time."""
    deadline = time.monotonic() + timeout_seconds
    while not (value := read()):
        assert time.monotonic() < deadline, f"nothing after {timeout_seconds} s"
        time.sleep(0.05)
    return value


def _name(item: dict[str, Any]) -> str:
    return item["metadata"]["name"]


def _phase(running: Running, pod: str) -> str:
    found = api.as_json(running.api, running.core.read_namespaced_pod(pod, "default"))
    return found["status"]["phase"]


def _volume_of(running: Running, name: str) -> dict[str, Any] | None:
    items = api.as_json(running.api, running.core.list_persistent_volume())["items"]
    return next((v for v in items if v["spec"]["storageClassName"] == name), None)


def _with_load_balancer(running: Running, name: str) -> dict[str, Any] | None:
    service = api.as_json(running.api, running.core.read_namespaced_service(name, "default"))
    return service if service["status"]["loadBalancer"].get("ingress") else None


def _fetch(url: str) -> bytes | None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return answer.read()
    except OSError:
        return None


_SERVER = """
import http.server, os
os.chdir("/data")
open("greeting", "w").write("hello")
http.server.HTTPServer(("", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def _pod_with_mounts() -> list[dict[str, Any]]:
    """Return a pod with every kind of mount that a unit has: disk, memory, token, configuration."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "disk", "namespace": "default"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    volumes = [
        {"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}},
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
    ]
    container = {
        "name": "pause",
        "image": PAUSE_IMAGE,
        "imagePullPolicy": "Never",
        "volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in ("disk", "memory")],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "mounts", "namespace": "default"},
        "spec": {"containers": [container], "volumes": volumes},
    }
    return [claim, pod]


def _web(name: str, image: str) -> list[dict[str, Any]]:
    """Return a StatefulSet of one pod with a volume, and a load-balanced Service before it."""
    labels = {"app": name}
    container = {
        "name": "web",
        "image": image,
        "command": ["python3", "-c", _SERVER],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    pod = {
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER},
        "containers": [container],
    }
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": name,
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    metadata = {"name": name, "namespace": "default"}
    port = {"port": 80, "targetPort": 8080}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": metadata,
            "spec": {
                "replicas": 1,
                "serviceName": name,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
                "volumeClaimTemplates": [claim],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"type": "LoadBalancer", "selector": labels, "ports": [port]},
        },
    ]
