"""Bad input is one clear error with a way out, told before anything is touched where possible.

What needs no Kubernetes to be seen is in tests/unit/test_settings_refusals.py, what a Kubernetes
must be broken for in tests/provider/test_dynamic_errors.py and test_preflight.py there; here is
what a real one and the real CLI make of it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings.quantity import cpu_cores
from tests.support.ports import free_port
from tests.support.refusal import UP, is_untouched, refused, the_one_error
from tests.support.stack import Stack, until

ABSENT = f"sha256:{'a1' * 32}"
"""Digest of no image."""

OURS = "statefulsets,services,serviceaccounts,roles,rolebindings,poddisruptionbudgets,secrets,pods"

_numbers = itertools.count()


@pytest.fixture(scope="module")
def stack(env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that never gets past its preflight; without Docker, which these cases are not for."""
    folder = tmp_path_factory.mktemp("bad")
    stack = Stack("bad-input", env, folder, image={"build": False, "digest": ABSENT})
    yield stack
    stack.remove()


@pytest.fixture
def namespace(stack: Stack) -> Iterator[str]:
    """A namespace that somebody else has made."""
    name = f"bad-input-{next(_numbers)}"
    stack.run("kubectl", "create", "namespace", name, check=True)
    yield name
    stack.run("kubectl", "delete", "namespace", name, "--wait=false", check=True)


def held(stack: Stack, namespace: str) -> set[str]:
    """Names of what could be ours in a namespace."""
    command = ("kubectl", "-n", namespace, "get", OURS, "-o", "name")
    return set(stack.run(*command, check=True).output.split()) - {"serviceaccount/default"}


# ---------------------------------------------------------------- the stack's config

MANY_AT_ONCE: dict[str, Any] = {
    "units": {"count": 4, "memory": 1024, "colour": "blue"},
    "seeds": {"count": "3"},
    "etcd": {"version": 3.6},
    "storage": {"retain": "yes"},
    "service": {"type": "Public"},
    "unitz": {"count": 3},
}
BETWEEN_GROUPS: dict[str, Any] = {
    "units": {"count": 1},
    "etcd": {"version": "3.7.1"},
    "discovery": {"mode": "v2", "url": "https://discovery.example.com/new"},
}


@pytest.mark.parametrize(
    ("groups", "keys"),
    [
        pytest.param(
            MANY_AT_ONCE,
            "units.count units.memory units.colour seeds.count etcd.version storage.retain "
            "service.type unitz",
            id="wrong types, unknown keys, even counts",
        ),
        pytest.param(
            BETWEEN_GROUPS,
            "units.count discovery.mode",
            id="fewer units than seeds, a version without the chosen discovery",
        ),
    ],
)
def test_all_that_is_wrong_with_the_config_is_told_at_once_in_preview(
    groups: dict[str, Any], keys: str, stack: Stack
) -> None:
    text = refused(stack, ("preview",), **groups)
    for key in keys.split():
        assert f"etcd:{key} " in text
    assert text.count("Next: ") == len(keys.split())
    assert is_untouched(stack)


# ---------------------------------------------------------------- the way to Kubernetes


def _elsewhere(env: Mapping[str, str]) -> str:
    """The lab's kubeconfig, leading to where nobody listens."""
    content = yaml.safe_load(Path(env["KUBECONFIG"]).read_text())
    content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    return yaml.safe_dump(content)


def test_a_context_that_is_not_there_is_told_with_those_that_are(stack: Stack) -> None:
    text = refused(stack, kubernetes={"context": "nowhere"})
    assert "etcd:kubernetes.context is 'nowhere'" in text
    assert "contexts there: etcd-lab" in text
    assert is_untouched(stack)


def test_a_kubeconfig_that_is_not_there_is_told_by_its_path(stack: Stack, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    by_environment = refused(stack, ("preview",), environment={"KUBECONFIG": missing})
    by_config = refused(stack, ("preview",), kubernetes={"kubeconfig": missing})
    for text in (by_environment, by_config):
        assert f"there is no kubeconfig at {missing}" in text


def test_a_kubeconfig_that_is_no_yaml_is_told_by_its_path(stack: Stack, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("clusters: [\n: }")
    text = refused(stack, ("preview",), environment={"KUBECONFIG": str(broken)})
    assert f"the kubeconfig {broken} cannot be read" in text


def test_a_cluster_that_does_not_answer_is_told_in_seconds(
    stack: Stack, env: Mapping[str, str], tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "elsewhere"
    kubeconfig.write_text(_elsewhere(env))
    with stack.running(stack.program, {"KUBECONFIG": str(kubeconfig)}):
        done = stack.pulumi(*UP)
    # An API that has answered before is asked again for almost a minute.
    assert "asking again" not in done.output
    text = the_one_error(done)
    assert "the Kubernetes API of context etcd-lab does not answer" in text
    assert "Connection refused" in text


# ---------------------------------------------------------------- what Kubernetes has and allows


def test_missing_rights_are_told_all_at_once(
    stack: Stack, env: Mapping[str, str], namespace: str, tmp_path: Path
) -> None:
    def kubectl(*arguments: str) -> str:
        return stack.run("kubectl", "-n", namespace, *arguments, check=True).output.strip()

    kubectl("create", "serviceaccount", "guest")
    kubectl("create", "role", "guest", "--verb=get,create", "--resource=namespaces,services")
    kubectl("create", "rolebinding", "guest", "--role=guest", f"--serviceaccount={namespace}:guest")
    content = yaml.safe_load(Path(env["KUBECONFIG"]).read_text())
    content["users"][0]["user"] = {"token": kubectl("create", "token", "guest")}
    kubeconfig = tmp_path / "guest"
    kubeconfig.write_text(yaml.safe_dump(content))
    before = held(stack, namespace)
    as_guest = {"KUBECONFIG": str(kubeconfig)}
    text = refused(stack, environment=as_guest, kubernetes={"namespace": namespace})
    assert f"missing rights (context etcd-lab, namespace {namespace}): " in text
    for right in ("create statefulsets", "patch statefulsets/scale", "get pods/exec"):
        assert right in text
    assert "create services" not in text, "that one is granted"
    assert held(stack, namespace) == before


def test_a_storage_class_that_is_not_there_is_told_with_those_that_are(stack: Stack) -> None:
    text = refused(stack, storage={"className": "gold"})
    assert "etcd:storage.className is 'gold'; this Kubernetes has: standard" in text
    assert is_untouched(stack)


def test_a_quota_that_is_used_up_is_told_with_what_is_needed(stack: Stack, namespace: str) -> None:
    hard = "--hard=pods=3,requests.memory=300Mi,requests.storage=100Gi"
    stack.run("kubectl", "-n", namespace, "create", "quota", "small", hard, check=True)
    known = ("wait", "--for=jsonpath={.status.hard}", "--timeout=180s", "quota/small")
    stack.run("kubectl", "-n", namespace, *known, check=True)
    text = refused(stack, kubernetes={"namespace": namespace})
    assert f"quota small of namespace {namespace} allows pods 3, 0 in use" in text
    assert "this stack needs 7 more" in text
    assert "requests.memory 300Mi" in text
    assert "requests.storage" not in text, "there is enough of it"
    assert held(stack, namespace) == set()


def test_an_object_of_somebody_else_is_never_taken_over(stack: Stack, namespace: str) -> None:
    create = ("create", "service", "clusterip", "etcd", "--tcp=80:80")
    stack.run("kubectl", "-n", namespace, *create, check=True)
    text = refused(stack, kubernetes={"namespace": namespace})
    assert f"Service etcd of namespace {namespace} exists and is not of this stack" in text
    assert held(stack, namespace) == {"service/etcd"}


# ---------------------------------------------------------------- the nodes


def test_units_that_leave_no_room_for_seeds_are_made_smaller_by_a_corrected_config(
    new_stack: Callable[..., Stack],
) -> None:
    """They run, and wait for the cluster that the seeds are to form.

    The first `up` asks for seeds that fit nowhere: of pods that fit one by one, the scheduler takes
    whichever comes first, and that has to be the unit.
    """
    stack = new_stack(seeds={"count": 1, "cpu": "1000"}, units={"count": 1})
    too_much = f"{free_millicores(stack) - 60}m"
    stack.set(units={"cpu": too_much}, handover={"timeoutSeconds": 30})
    text = the_one_error(stack.pulumi("up", "--yes", "--skip-preview"))
    assert re.search("waiting for pods of the bootstrap: .*Insufficient cpu", text)
    stack.set(seeds={"cpu": "100m"}, units={"cpu": "50m"}, handover={"timeoutSeconds": 120})
    output = stack.up().output
    assert "recreated, since its template has changed: etcd-0" in output
    assert sorted(stack.members()) == ["etcd-0"]


def free_millicores(stack: Stack) -> int:
    """What the lab's node has for a stack, once all earlier ones have ended."""

    def pods() -> list[Any]:
        found = stack.run("kubectl", "get", "pods", "-A", "-o", "json", check=True).output
        return json.loads(found)["items"]

    until(
        "earlier stacks to end",
        lambda: all(pod["metadata"]["namespace"] == "kube-system" for pod in pods()),
    )
    nodes = stack.run("kubectl", "get", "nodes", "-o", "json", check=True).output
    (node,) = json.loads(nodes)["items"]
    asked = [
        container.get("resources", {}).get("requests", {}).get("cpu", "0")
        for pod in pods()
        for container in pod["spec"]["containers"]
    ]
    cores = cpu_cores(node["status"]["allocatable"]["cpu"]) - sum(map(cpu_cores, asked))
    return int(1000 * cores)


# ---------------------------------------------------------------- the image


def claims(stack: Stack) -> dict[str, str]:
    """The units' volume claims, and their unique IDs."""
    found = [claim["metadata"] for claim in stack.objects("pvc")]
    return {c["name"]: c["uid"] for c in found if not c["name"].startswith("data-etcd-seed-")}


def test_a_docker_engine_that_is_not_there_is_told(
    new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = new_stack()
    text = refused(stack, environment={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert "cannot connect to the docker daemon" in text.lower()
    assert "Next: start the Docker Engine, or point DOCKER_HOST at one that runs" in text


def test_a_build_context_that_is_not_there_is_told_by_its_path(stack: Stack) -> None:
    image = {"build": True, "digest": None, "context": "containers/nothing"}
    text = refused(stack, ("preview",), image=image)
    assert "containers/nothing" in text
    assert is_untouched(stack)


def test_an_image_that_cannot_be_pulled_is_told_soon_and_a_corrected_one_is_enough(
    new_stack: Callable[..., Stack],
) -> None:
    one = {"count": 1}
    image = {"build": False, "digest": ABSENT}
    stack = new_stack(seeds=one, units=one, image=image, storage={"retain": True})
    text = the_one_error(stack.pulumi("up", "--yes", "--skip-preview"))
    assert "timed out after" not in text
    assert re.search(r"pod etcd-(seed-\d|discovery-0): ", text), "whichever pod is seen first"
    assert ABSENT in text
    before = claims(stack)

    # Begun anew beside the units' volumes, of which nobody knows by then that they are empty.
    stack.destroy()
    stack.set(handover={"timeoutSeconds": 30})
    text = the_one_error(stack.pulumi("up", "--yes", "--skip-preview"))
    told = r"no word from etcd-0.*(ContainerCreating|ErrImagePull|ImagePullBackOff)"
    assert re.search(told, text), "by how far the node is"
    stack.set(image={"build": True, "digest": None}, handover={"timeoutSeconds": 120})
    stack.up()
    assert sorted(stack.members()) == ["etcd-0"]
    assert claims(stack) == before
