"""Looks at the etcd cluster that a `pulumi up` made, through kubectl."""

import time
from datetime import UTC, datetime, timedelta

from bench.shell import BenchError, Shell
from containers.etcd.supervisor.rules import SETTLE_SECONDS

NAMESPACE = "etcd"
NAME = "etcd"

# VmRSS of PID 1, told by the image's own Python; PID 1 must be the supervisor.
_MEMORY = (
    "import pathlib, re\n"
    "assert b'supervisor' in pathlib.Path('/proc/1/cmdline').read_bytes()\n"
    "status = pathlib.Path('/proc/1/status').read_text()\n"
    "print(re.search(r'VmRSS:\\s+(\\d+) kB', status)[1])\n"
)


def service_address(shell: Shell) -> str | None:
    """Client URL of the Service, as seen from the host; None until the Service exists."""
    found = shell.json("kubectl", "-n", NAMESPACE, "get", "service", NAME, "-o", "json")
    return f"http://{found['spec']['clusterIP']}:2379" if found else None


def pod_endpoints(shell: Shell, namespace: str = NAMESPACE) -> list[str]:
    """Client URLs of the running pods' own addresses."""
    found = shell.json("kubectl", "-n", namespace, "get", "pods", "-o", "json") or {"items": []}
    addresses = [pod["status"].get("podIP") for pod in found["items"]]
    return [f"http://{address}:2379" for address in addresses if address]


def units_image(shell: Shell) -> str:
    """The image that the units run."""
    found = shell.json("kubectl", "-n", NAMESPACE, "get", "statefulset", NAME, "-o", "json")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def wait_until_settled(shell: Shell) -> None:
    """Return when every pod has been ready for as long as etcd wants of each voter before the
    membership changes again: right after a change, the next one waits for the one before."""
    while not _settled(shell):
        time.sleep(0.2)


def _settled(shell: Shell) -> bool:
    found = shell.json("kubectl", "-n", NAMESPACE, "get", "pods", "-o", "json")
    # Kubernetes cuts its times to whole seconds.
    latest = datetime.now(UTC) - timedelta(seconds=SETTLE_SECONDS + 1)
    return all(
        datetime.fromisoformat(condition["lastTransitionTime"]) < latest
        and condition["status"] == "True"
        for pod in found["items"]
        for condition in pod["status"]["conditions"]
        if condition["type"] == "Ready"
    )


def supervisor_memory(shell: Shell) -> tuple[float, ...]:
    """Resident memory of every unit's supervisor in MiB, by ordinal."""
    found = shell.json("kubectl", "-n", NAMESPACE, "get", "pods", "-o", "json")
    pods = [pod["metadata"]["name"] for pod in found["items"]]
    command = ("-c", NAME, "--", "/usr/bin/python3", "-c", _MEMORY)
    told = [shell.json("kubectl", "-n", NAMESPACE, "exec", pod, *command) for pod in pods]
    if not told or None in told:
        raise BenchError(f"No memory figure from all of {pods}.\nNext: kubectl get pods -A")
    return tuple(int(kib) / 1024 for kib in told)


def require_nothing(shell: Shell) -> None:
    """Make sure that the next `pulumi up` starts from nothing."""
    found = shell.json("kubectl", "-n", NAMESPACE, "get", "pods,pvc,statefulsets", "-o", "json")
    left = [f"{o['kind']} {o['metadata']['name']}" for o in (found or {"items": []})["items"]]
    if left:
        raise BenchError(
            f"Namespace {NAMESPACE} still has {', '.join(left)}; an `up` would not start from "
            "nothing.\nNext: python -m lab down --name bench"
        )
