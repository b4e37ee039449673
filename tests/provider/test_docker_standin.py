"""The stand-in of the Docker plugin as the CLI runs it: its process, asked by gRPC."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2 as proto
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_URN = "urn:pulumi:dev::etcd::etcd:cluster:Image$docker:index/image:Image::etcd"
_CLIENT = """\
#!/bin/sh
echo "$1" >>"$(dirname "$0")/calls"
case $1 in
push) if [ -e "$(dirname "$0")/denied" ]; then echo denied; exit 1; fi ;;
inspect) echo '[{"Id": "sha256:9", "Os": "linux", "Architecture": "amd64",
  "RepoDigests": ["localhost:5000/etcd@sha256:77"]}]' ;;
esac
"""


class StandIn:
    """The plugin's process, and the context and calls of its fake Docker client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "docker").write_text(_CLIENT)
        (folder / "docker").chmod(0o755)
        (folder / "Dockerfile").write_text("FROM scratch\n")
        # Interrupts are ignored at first, as where `make` runs in the background of a script.
        background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
        self.process = subprocess.Popen(
            [*background, sys.executable, "-m", "lab.plugins.docker_image", "127.0.0.1:1"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(_CHECKOUT), "DOCKER_CLIENT": f"{folder}/docker"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        port = int(self.process.stdout.readline())
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub: Any = ResourceProviderStub(self.channel)

    def check(self, **changes: Any) -> dict[str, Any]:
        inputs = {"imageName": "localhost:5000/etcd:v1", "build": {"context": "."}, **changes}
        answer = self.stub.Check(proto.CheckRequest(urn=_URN, news=struct(inputs)))
        assert not answer.failures
        return MessageToDict(answer.inputs)

    def create(self, inputs: dict[str, Any]) -> dict[str, Any]:
        answer = self.stub.Create(proto.CreateRequest(urn=_URN, properties=struct(inputs)))
        return MessageToDict(answer.properties)

    def differs(self, old: dict[str, Any], new: dict[str, Any]) -> bool:
        request = proto.DiffRequest(urn=_URN, old_inputs=struct(old), news=struct(new))
        return self.stub.Diff(request).changes == proto.DiffResponse.DIFF_SOME

    @property
    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().split() if file.exists() else []

    def end(self) -> str:
        """End the process as the engine does; return what it wrote to its error output."""
        self.channel.close()
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return errors


def struct(values: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(values)
    return made


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    """Run the plugin; it must not have written errors or tracebacks at the end."""
    plugin = StandIn(tmp_path)
    yield plugin
    assert plugin.end() == ""


def test_create_builds_pushes_and_gives_the_outputs_of_the_official_plugin(
    stand_in: StandIn,
) -> None:
    assert stand_in.create(stand_in.check()) == {
        "baseImageName": "localhost:5000/etcd:v1",
        "context": ".",
        "dockerfile": "Dockerfile",
        "imageName": "localhost:5000/etcd:v1",
        "platform": "linux/amd64",
        "registryServer": "localhost:5000",
        "repoDigest": "localhost:5000/etcd@sha256:77",
    }
    assert stand_in.calls == ["build", "push", "inspect"]


def test_a_skipped_push_is_no_push(stand_in: StandIn) -> None:
    stand_in.create(stand_in.check(skipPush=True))
    assert stand_in.calls == ["build", "inspect"]


def test_a_second_up_changes_nothing_until_a_file_of_the_context_changes(
    stand_in: StandIn,
) -> None:
    first = stand_in.check()
    assert not stand_in.differs(first, stand_in.check())
    (stand_in.folder / "Dockerfile").write_text("FROM scratch\nUSER 1\n")
    assert stand_in.differs(first, stand_in.check())
    assert stand_in.calls == [], "neither check nor diff may ask Docker"


def test_a_refused_push_is_one_clear_error(stand_in: StandIn) -> None:
    (stand_in.folder / "denied").touch()
    with pytest.raises(grpc.RpcError) as raised:
        stand_in.create(stand_in.check())
    lines = str(raised.value.details()).splitlines()
    assert lines[0].startswith("Docker push of localhost:5000/etcd:v1 failed")
    assert "  | denied" in lines
    assert lines[-1].startswith("Next: ")


def test_another_resource_is_refused_with_a_way_out(stand_in: StandIn) -> None:
    urn = "urn:pulumi:dev::etcd::docker:index/container:Container::x"
    with pytest.raises(grpc.RpcError) as raised:
        stand_in.stub.Check(proto.CheckRequest(urn=urn))
    assert "docker:index/container:Container is not served" in str(raised.value.details())


def test_the_plugin_ends_with_a_cli_that_is_killed(tmp_path: Path) -> None:
    command = f"{sys.executable} -m lab.plugins.docker_image x & echo $!; sleep 60"
    environment = {**os.environ, "PYTHONPATH": str(_CHECKOUT)}
    cli = subprocess.Popen(
        ["sh", "-c", command],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
        start_new_session=True,
    )
    assert cli.stdout
    plugin = int(cli.stdout.readline())
    assert int(cli.stdout.readline()) > 0, "it serves"
    cli.kill()
    deadline = time.monotonic() + 10
    while is_running(plugin) and time.monotonic() < deadline:
        time.sleep(0.05)
    alive = is_running(plugin)
    os.killpg(cli.pid, signal.SIGKILL)
    cli.wait()
    assert not alive


def is_running(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
