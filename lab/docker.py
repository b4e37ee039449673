"""Start the Docker Engine of a lab, in its network namespace."""

import http.client
import json
import socket
from pathlib import Path

from lab import processes
from lab.addresses import Addresses
from lab.controlplane import Programs
from lab.state import Lab


def start_engine(lab: Lab, addresses: Addresses, programs: Programs) -> None:
    """Start dockerd on the lab's containerd, which must be there; return when it answers.

    It has no network of its own and touches no firewall rule: builds run with `--network=none`, or
    on the namespace's network. What it starts stays in the lab's control group.
    """
    state = lab.state / "docker"
    state.mkdir(exist_ok=True)
    config = state / "daemon.json"
    # A file of its own: a daemon.json of the machine's Docker must not mix in.
    # The key identifies an Engine to services that are no more; its usual place is under /etc.
    config.write_text(json.dumps({"deprecated-key-path": str(state / "key.json")}) + "\n")
    argv = [
        programs["dockerd"],
        f"--config-file={config}",
        f"--containerd={lab.containerd_socket}",
        f"--host=unix://{lab.docker_socket}",
        f"--data-root={state / 'data'}",
        f"--exec-root={state / 'run'}",
        f"--pidfile={state / 'pid'}",
        f"--cgroup-parent=/{addresses.kernel_name}/docker",
        "--exec-opt=native.cgroupdriver=cgroupfs",
        "--bridge=none",
        "--iptables=false",
        "--ip-forward=false",
        "--ip-masq=false",
        "--log-level=warn",
    ]
    programs_path = f"{programs['dockerd'].parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    processes.start(lab, addresses, "dockerd", argv, {"PATH": programs_path})
    processes.wait(lab, "dockerd", lambda: problem(lab.docker_socket))


def problem(engine: Path) -> str:
    """Return why the Engine behind a socket does not answer, or nothing."""
    connection = http.client.HTTPConnection("localhost")
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(2)
            line.connect(str(engine))
            connection.sock = line
            connection.request("GET", "/_ping")
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{engine} does not answer: {error}"
    return "" if status == http.client.OK else f"{engine} answers {status} to a ping"
