"""One stack of the product's own program, in a namespace of its own, driven by the Pulumi CLI."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """A command that has ended."""

    code: int
    output: str
    """Both streams, as a person sees them."""
    seconds: float

    def __str__(self) -> str:
        return f"exit code {self.code} after {self.seconds:.1f} s\n{self.output}"


def until(
    what: str, found: Callable[[], T | None], seconds: float = 180, look_seconds: float = 0.1
) -> T:
    """Poll until `found` returns something; raise AssertionError with `what` at the deadline.

    Half of the time is left to what is waited for, and `look_seconds` between two looks at least.
    """
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, f"not so within {seconds} s: {what}"
        time.sleep(max(look_seconds, time.monotonic() - began))


def environment(env_file: Path) -> dict[str, str]:
    """What a shell has in its environment after `. env_file`: of a person who works on that lab."""
    command = ["sh", "-c", '. "$0" && env -0', str(env_file)]
    text = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    pairs = [entry.partition("=") for entry in text.split("\0") if entry]
    return {name: value for name, _, value in pairs}


def answer(text: str) -> Any:
    """What etcdctl answers in JSON; nothing where it says nothing.

    Its log is JSON as well and beside it: of a call that it repeated, since the leader changed.
    """
    found = [json.loads(line) for line in text.splitlines() if line.startswith(("{", "["))]
    return next((one for one in found if "level" not in one), {})


def kill_session(leader: int) -> None:
    """SIGKILL to all processes of a session, until none is left.

    A process group is not enough: each of Pulumi's plugins leads one of its own, and would go on
    with its sequence when the CLI is gone.
    """
    while members := _living(leader):
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _living(session: int) -> list[int]:
    """The processes of a session that have not ended (proc_pid_stat(5))."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, own, *_ = entry.read_text().rpartition(")")[2].split()
            if int(own) == session and state not in "ZX":
                found.append(int(entry.parent.name))
    return found


class Stack:
    """A stack and what it made. `env` is the lab's environment.

    `program`: the folder of the Pulumi program, if it is not this checkout's own. `known`: whether
    an earlier run with the same `folder` has made the stack.
    """

    def __init__(
        self,
        name: str,
        env: Mapping[str, str],
        folder: Path,
        program: Path = CHECKOUT,
        known: bool = False,
        **groups: Any,
    ) -> None:
        self.name = self.namespace = name
        self.env = dict(env)
        self.folder = folder
        self.program = program
        self.config: dict[str, Any] = {
            "kubernetes": {"context": "etcd-lab", "namespace": name},
            "image": {"registry": "localhost:5000"},
            "seeds": {"count": 3, "cpu": "50m", "memory": "128Mi"},
            "units": {"count": 3, "cpu": "50m", "memory": "256Mi"},
            "storage": {"size": "1Gi", "retain": False},
            "handover": {"timeoutSeconds": 120},
        }
        folder.mkdir(parents=True, exist_ok=True)
        # `stack init` writes its file beside Pulumi.yaml, wherever that is: not in the checkout.
        (folder / "Pulumi.yaml").write_text((program / "Pulumi.yaml").read_text())
        self.set(**groups)
        if not known:
            done = self.run("pulumi", "--cwd", str(folder), "stack", "init", name, "--no-select")
            assert done.code == 0, done

    @property
    def _file(self) -> Path:
        return self.folder / f"Pulumi.{self.name}.yaml"

    def set(self, **groups: Any) -> None:
        """Change config groups (merged key by key) and write the stack's file."""
        for group, values in groups.items():
            self.config[group] = {**self.config.get(group, {}), **values}
        known = yaml.safe_load(self._file.read_text()) if self._file.exists() else {}
        known["config"] = {f"etcd:{group}": value for group, value in self.config.items()}
        self._file.write_text(yaml.safe_dump(known))

    @contextmanager
    def running(self, program: Path, variables: Mapping[str, str]) -> Generator[None]:
        """Run another copy of the program, with more in its environment, in the with statement."""
        before = self.program, self.env
        self.program, self.env = program, {**self.env, **variables}
        try:
            yield
        finally:
            self.program, self.env = before

    # ------------------------------------------------------------ commands

    def run(self, *command: str, check: bool = False) -> Result:
        began = time.monotonic()
        with subprocess.Popen(
            command,
            cwd=self.program,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate()
            except BaseException:
                # pytest's time limit: the plugins of an `up` would go on beside the next test.
                kill_session(process.pid)
                raise
        result = Result(process.returncode, output, time.monotonic() - began)
        assert not check or result.code == 0, f"{' '.join(command)}: {result}"
        return result

    def pulumi(self, *arguments: str) -> Result:
        return self.run(*self._pulumi(*arguments))

    def _pulumi(self, *arguments: str) -> tuple[str, ...]:
        verb, *rest = arguments
        common = ("--non-interactive", "--color=never", "--stack", self.name)
        return ("pulumi", verb, *common, "--config-file", str(self._file), *rest)

    def up(self, *flags: str) -> Result:
        """`pulumi up` that must succeed."""
        done = self.pulumi("up", "--yes", "--skip-preview", *flags)
        assert done.code == 0, done
        return done

    def refused(self, *flags: str) -> str:
        """`pulumi up` that must fail; what it says."""
        done = self.pulumi("up", "--yes", "--skip-preview", *flags)
        assert done.code != 0, done
        return done.output

    def start_up(self, log: Path) -> subprocess.Popen[bytes]:
        """`pulumi up` in the background, in a process group of its own, for being killed."""
        with log.open("wb") as out:
            return subprocess.Popen(
                self._pulumi("up", "--yes", "--skip-preview"),
                cwd=self.program,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL to the CLI and everything that it started; then what Pulumi itself asks for."""
        kill_session(process.pid)
        process.wait()
        self.run("pulumi", "cancel", "--yes", "--stack", self.name)

    def destroy(self) -> Result:
        done = self.pulumi("destroy", "--yes", "--skip-preview")
        assert done.code == 0, done
        return done

    def remove_objects(self) -> None:
        """Destroy what a test has left, whatever that is, kept volumes too."""
        self.pulumi("destroy", "--yes", "--skip-preview")
        self.run("kubectl", "delete", "namespace", self.namespace, "--ignore-not-found")

    def remove(self) -> None:
        """Forget the stack, and have Kubernetes take down what a test has left: the next test, in a
        namespace of its own, need not wait for it."""
        self.run(
            "kubectl", "delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false"
        )
        self.run("pulumi", "stack", "rm", "--yes", "--force", "--stack", self.name)

    @contextmanager
    def state(self) -> Generator[list[Any]]:
        """The resources in Pulumi's state, to be changed in the with statement."""
        file = ("--stack", self.name, "--file", str(self.folder / "state.json"))
        self.run("pulumi", "stack", "export", *file, check=True)
        whole = json.loads((self.folder / "state.json").read_text())
        yield whole["deployment"]["resources"]
        (self.folder / "state.json").write_text(json.dumps(whole))
        self.run("pulumi", "stack", "import", *file, check=True)

    def outputs(self) -> dict[str, Any]:
        command = ("pulumi", "stack", "output", "--json", "--stack", self.name)
        return json.loads(self.run(*command, check=True).output)

    # ------------------------------------------------------------ what is there

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        return self.run("kubectl", "-n", self.namespace, *arguments, check=check).output

    def objects(self, kinds: str, *selector: str) -> list[Any]:
        """Objects of the namespace; none if the namespace is not there."""
        return json.loads(self.kubectl("get", kinds, "-o", "json", *selector))["items"]

    def pods(self) -> dict[str, Any]:
        return {pod["metadata"]["name"]: pod for pod in self.objects("pods")}

    def etcdctl(self, *arguments: str, pod: str = "etcd-0") -> Any:
        """etcdctl's JSON in a member's pod."""
        return answer(self.kubectl("exec", pod, "--", "etcdctl", *arguments, "-w", "json"))

    def members(self) -> dict[str, Any]:
        """The membership list by name, as a voter has it; no name: a member that never started."""
        return {m.get("name", ""): m for m in self.etcdctl("member", "list")["members"]}

    def address(self) -> str:
        """The client Service as it answers from this machine."""
        service = json.loads(self.kubectl("get", "service", "etcd", "-o", "json"))
        return f"http://{service['spec']['clusterIP']}:2379"

    def endpoints(self) -> list[str]:
        """Every unit's own client URL, by pod address."""
        units = [p for n, p in self.pods().items() if re.fullmatch(r"etcd-\d+", n)]
        return [f"http://{p['status']['podIP']}:2379" for p in units]

    def birth_mark(self, pod: str = "etcd-0") -> dict[str, Any]:
        """The mark that tells this cluster from one that was formed again."""
        key = ("get", "--print-value-only", "etcd.pulumi.com/birth")
        return answer(self.kubectl("exec", pod, "--", "etcdctl", *key))

    def term(self) -> int:
        """Raft's term, which goes up by one with each leader."""
        (endpoint,) = self.etcdctl("endpoint", "status")
        return endpoint["Status"]["raftTerm"]
