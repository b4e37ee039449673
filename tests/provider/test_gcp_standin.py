"""The stand-in of the gcp plugin as the CLI runs it: its process, asked by gRPC."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
import yaml
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2 as proto
from pulumi.runtime.proto import status_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

from lab.plugins.gcp import faults
from lab.plugins.gcp.cloud import Cloud
from lab.plugins.unknown import UNKNOWN
from tests.support.gcp_inputs import AROUND, CLUSTER_ID, GOOD, POOL_ID, changed, kind

_CHECKOUT = Path(__file__).resolve().parent.parent.parent


class StandIn:
    """The plugin's process, its cloud, and what its fake kubectl was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = Cloud(folder / "cloud")
        kubectl = folder / "kubectl"
        kubectl.write_text(f'#!/bin/sh\necho "$@" >>{folder}/calls\n')
        kubectl.chmod(0o755)
        cluster = {
            "server": f"https://{AROUND.server}",
            "certificate-authority-data": AROUND.certificate_authority,
        }
        (folder / "config").write_text(yaml.safe_dump({"clusters": [{"cluster": cluster}]}))
        variables = {
            "PYTHONPATH": str(_CHECKOUT),
            "GCP_CLOUD": str(self.cloud.folder),
            "GCP_KUBECONFIG": str(folder / "config"),
            "GCP_KUBECTL": str(kubectl),
            "GCP_REGISTRY": AROUND.registry,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lab.plugins.gcp", "127.0.0.1:1"],
            cwd=folder,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.channel = grpc.insecure_channel(f"127.0.0.1:{int(self.process.stdout.readline())}")
        self.stub: Any = ResourceProviderStub(self.channel)

    def create(self, name: str, preview: bool = False) -> dict[str, Any]:
        request = proto.CreateRequest(urn=urn(name), properties=struct(GOOD[name]), preview=preview)
        return MessageToDict(self.stub.Create(request).properties)

    def diff(self, name: str, new: Mapping[str, Any]) -> Any:
        request = proto.DiffRequest(urn=urn(name), old_inputs=struct(GOOD[name]), news=struct(new))
        return self.stub.Diff(request)

    def delete(self, name: str, id_: str, state: Mapping[str, Any]) -> None:
        self.stub.Delete(proto.DeleteRequest(urn=urn(name), id=id_, properties=struct(state)))

    def end(self) -> str:
        """End the process; return what it wrote to its error output."""
        self.channel.close()
        self.process.terminate()
        return self.process.communicate(timeout=60)[1]


def urn(name: str) -> str:
    return f"urn:pulumi:prod::etcd::etcd:gke:Gke${kind(name).token}::etcd-prod"


def struct(values: Mapping[str, Any]) -> Struct:
    made = Struct()
    made.update(dict(values))
    return made


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    """Run the plugin; it must not have written errors or tracebacks at the end."""
    plugin = StandIn(tmp_path)
    yield plugin
    assert plugin.end() == ""


def test_everything_is_made_changed_and_deleted(stand_in: StandIn) -> None:
    states = {name: stand_in.create(name) for name in GOOD}
    assert states["Cluster"]["endpoint"] == AROUND.server
    calls = (stand_in.folder / "calls").read_text()
    assert "cloud.google.com/gke-nodepool=etcd" in calls
    larger = changed("NodePool", "nodeCount", 2)
    answer = stand_in.stub.Update(
        proto.UpdateRequest(urn=urn("NodePool"), id=POOL_ID, news=struct(larger))
    )
    assert MessageToDict(answer.properties)["nodeCount"] == 2
    for name in reversed(GOOD):
        stand_in.delete(name, kind(name).identify(GOOD[name], AROUND), states[name])
    assert stand_in.cloud.resources() == {}
    assert "cloud.google.com/gke-nodepool-" in (stand_in.folder / "calls").read_text()


def test_numbers_survive_the_protocol(stand_in: StandIn) -> None:
    answer = stand_in.stub.Check(
        proto.CheckRequest(urn=urn("NodePool"), news=struct(GOOD["NodePool"]))
    )
    assert not answer.failures


def test_what_is_wrong_is_told_at_once_with_its_path(stand_in: StandIn) -> None:
    wrong = {**changed("Cluster", "name", "Etcd"), "colour": "blue"}
    answer = stand_in.stub.Check(proto.CheckRequest(urn=urn("Cluster"), news=struct(wrong)))
    assert {failure.property for failure in answer.failures} == {"name", "colour"}


def test_a_preview_makes_nothing_and_says_what_it_does_not_know(stand_in: StandIn) -> None:
    foreseen = stand_in.create("Cluster", preview=True)
    assert foreseen["endpoint"] == UNKNOWN
    assert stand_in.cloud.resources() == {}


def test_a_node_count_is_changed_in_place_and_a_region_is_not(stand_in: StandIn) -> None:
    update = stand_in.diff("NodePool", changed("NodePool", "nodeCount", 2))
    assert (list(update.diffs), list(update.replaces)) == (["nodeCount"], [])
    replacement = stand_in.diff("Cluster", changed("Cluster", "location", "europe-west1"))
    assert list(replacement.replaces) == ["location"]
    assert replacement.deleteBeforeReplace
    kinds = proto.PropertyDiff
    assert replacement.detailedDiff["location"].kind == kinds.UPDATE_REPLACE


def test_a_protected_cluster_stays(stand_in: StandIn) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        stand_in.delete("Cluster", CLUSTER_ID, {"deletionProtection": True})
    assert "Cannot destroy cluster because deletion_protection is set to true" in said(raised)


def test_a_refused_request_is_an_error_without_a_traceback(stand_in: StandIn) -> None:
    faults.inject(stand_in.cloud, "Network", "create", "quota")
    with pytest.raises(grpc.RpcError) as raised:
        stand_in.create("Network")
    assert said(raised).startswith("1 error occurred:\n\t* Error creating Network: googleapi: ")
    assert stand_in.create("Network")["project"] == "my-project"


def test_what_was_begun_is_noted_by_the_engine(stand_in: StandIn) -> None:
    for name in ("Network", "Subnetwork"):
        stand_in.create(name)
    faults.inject(stand_in.cloud, "Cluster", "create", "timeout")
    with pytest.raises(grpc.RpcError) as raised:
        stand_in.create("Cluster")
    call = cast("grpc.Call", raised.value)
    metadata = dict(call.trailing_metadata() or ())
    status = status_pb2.Status.FromString(cast("bytes", metadata["grpc-status-details-bin"]))
    details = proto.ErrorResourceInitFailed()
    assert status.details[0].Unpack(details)
    assert details.id == CLUSTER_ID
    assert details.inputs["name"] == "etcd-prod"
    assert "timeout while waiting" in details.reasons[0]


def test_what_is_gone_reads_as_gone(stand_in: StandIn) -> None:
    request = proto.ReadRequest(urn=urn("Cluster"), id=CLUSTER_ID)
    assert stand_in.stub.Read(request).id == ""
    stand_in.create("Network")
    network = proto.ReadRequest(
        urn=urn("Network"), id="projects/my-project/global/networks/etcd-prod"
    )
    found = stand_in.stub.Read(network)
    assert MessageToDict(found.inputs)["name"] == "etcd-prod", "as an import needs it"


def test_another_resource_is_refused_with_a_way_out(stand_in: StandIn) -> None:
    other = "urn:pulumi:prod::etcd::gcp:storage/bucket:Bucket::x"
    with pytest.raises(grpc.RpcError) as raised:
        stand_in.stub.Check(proto.CheckRequest(urn=other))
    assert "gcp:storage/bucket:Bucket is not served" in said(raised)
    assert "Next: " in said(raised)


def said(raised: pytest.ExceptionInfo[grpc.RpcError]) -> str:
    return str(cast("grpc.Call", raised.value).details())
