"""The commands of the README, as a newcomer types them in a fresh clone."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from tests.support.output import of_the_program
from tests.support.stack import CHECKOUT, Result

UNITS = ["etcd-0", "etcd-1", "etcd-2"]
NO_CHANGE = "\nResources:\n    27 unchanged\n"
"""The whole summary of Pulumi: nothing else is counted above."""


class Clone:
    """A clone of what is committed, with a shell in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "clone", "-q", str(CHECKOUT), str(folder)], check=True)

    def sh(self, command: str) -> Result:
        began = time.monotonic()
        # A newcomer's shell: nothing of this test's environment but what finds the programs.
        env = {k: os.environ[k] for k in ("HOME", "PATH", "ETCD_LAB_CACHE") if k in os.environ}
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, time.monotonic() - began)

    def good(self, command: str) -> str:
        done = self.sh(command)
        assert done.code == 0, f"{command}: {done}"
        return done.output


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    clone = Clone(tmp_path_factory.mktemp("make") / "clone")
    try:
        yield clone
    finally:
        clone.sh("make lab-down")


@pytest.fixture(scope="module")
def up(clone: Clone) -> str:
    """What `make up` prints as the first command in the clone."""
    return clone.good("make up")


def test_make_up_ends_with_members_endpoint_and_a_first_key(clone: Clone, up: str) -> None:
    table = up[up.index("NAME ") :]
    for unit in UNITS:
        assert unit in table
    assert "healthy" in table
    assert "http://etcd.etcd.svc.cluster.local:2379" in table
    assert "etcdctl put greeting hello" in table
    assert "Traceback" not in up
    assert "warning" not in of_the_program(up).lower()


def test_only_units_run_after_make_up(clone: Clone, up: str) -> None:
    listed = clone.good(". .lab/env && kubectl --kubeconfig .lab/kubeconfig get pods -A -o json")
    pods = {p["metadata"]["name"]: p for p in json.loads(listed)["items"]}
    assert sorted(pods) == UNITS
    assert all(p["status"]["containerStatuses"][0]["ready"] for p in pods.values())


def test_the_first_key_as_make_up_says(clone: Clone, up: str) -> None:
    lines = up[up.index("Your first key:") :].splitlines()[1:4]
    assert clone.good(" && ".join(line.strip() for line in lines)).splitlines() == [
        "OK",
        "greeting",
        "hello",
    ]


def test_plain_commands_work_in_the_labs_shell(clone: Clone, up: str) -> None:
    shell = ". .lab/env && "
    assert NO_CHANGE in clone.good(shell + "pulumi up --yes --skip-preview --stack dev")
    assert NO_CHANGE in clone.good(shell + "pulumi preview --stack dev")
    assert "etcd-0" in clone.good(shell + "kubectl get pods -n etcd")
    assert "etcd-2" in clone.good(shell + "etcdctl member list")


def test_status_and_preview_are_quiet_about_a_healthy_cluster(clone: Clone, up: str) -> None:
    status = clone.good("make status")
    assert "healthy" in status
    assert "kube-apiserver" in status
    assert NO_CHANGE in clone.good("make preview")


def test_a_second_make_up_changes_nothing(clone: Clone, up: str) -> None:
    again = clone.good("make up")
    assert "already up" in again
    assert NO_CHANGE in again
    assert clone.good("git status --porcelain") == ""


def test_status_names_what_is_wrong(clone: Clone, up: str) -> None:
    clone.good(". .lab/env && kubectl -n etcd scale statefulset etcd --replicas=2")
    done = clone.sh("make status")
    assert done.code != 0
    assert "UNHEALTHY" in done.output
    assert "etcd-2" in done.output
    clone.good(". .lab/env && kubectl -n etcd scale statefulset etcd --replicas=3")


def test_destroy_and_lab_down_leave_nothing(clone: Clone, up: str) -> None:
    clone.good("make destroy")
    left = clone.good(". .lab/env && kubectl get pods,pvc,statefulsets -A -o name")
    assert left.strip() == ""
    status = clone.sh("make status")
    assert status.code != 0
    assert "Next: make up STACK=dev" in status.output
    clone.good("make lab-down")
    assert not (clone.folder / ".lab" / "kubeconfig").exists()


def test_the_same_commands_work_on_a_cluster_of_ones_own(
    clone: Clone, env: Mapping[str, str], tmp_path: Path
) -> None:
    """The tests' lab stands for the user's cluster: reached by a kubeconfig and a context only."""
    config = yaml.safe_load(Path(env["KUBECONFIG"]).read_text())
    config["contexts"][0]["name"] = "mine"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    settings = {
        "kubernetes": {"context": "mine", "namespace": "own"},
        "image": {"registry": "localhost:5000"},
        "seeds": {"count": 1, "cpu": "50m", "memory": "128Mi"},
        "units": {"count": 1, "cpu": "50m", "memory": "256Mi"},
        "storage": {"size": "1Gi", "retain": False},
    }
    own = {"config": {f"etcd:{group}": values for group, values in settings.items()}}
    (clone.folder / "Pulumi.own.yaml").write_text(yaml.safe_dump(own))
    shell = f"export KUBECONFIG={tmp_path}/kubeconfig DOCKER_HOST={env['DOCKER_HOST']}; "
    assert "to create" in clone.good(shell + "make preview STACK=own")
    up = clone.good(shell + "make up STACK=own")
    assert "healthy" in up
    put, get = up[up.index("Your first key:") :].splitlines()[1:3]
    assert put.strip().startswith("kubectl --context mine -n own exec etcd-0 ")
    done = clone.good(f"{shell}export PATH={env['PATH']}; {put} && {get}")
    assert done.splitlines() == ["OK", "greeting", "hello"]
    assert "healthy" in clone.good(shell + "make status STACK=own")
    clone.good(shell + "make destroy STACK=own")
    assert not (clone.folder / ".lab" / "kubeconfig").exists(), "no lab was started"


def test_the_tables_of_the_documents_are_as_make_docs_writes_them(clone: Clone) -> None:
    clone.good("make docs")
    assert clone.good("git status --porcelain README.md docs") == ""


def test_help_explains_every_target(clone: Clone) -> None:
    text = clone.good("make help")
    for target in ("up", "preview", "status", "destroy", "lab-down", "test", "bench"):
        assert f"\n{target} " in f"\n{text}"
