"""The production stack from nothing and back to nothing: Google stood in for, the rest real."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.plugins.gcp import faults
from lab.state import Lab
from tests.support.background_up import background_up
from tests.support.gke import PROJECT, Google, stack_on
from tests.support.refusal import errors_of
from tests.support.stack import CHECKOUT, Result, Stack, until

UNITS = ["etcd-0", "etcd-1", "etcd-2"]
UP = ("up", "--yes", "--skip-preview")
RUNBOOK = CHECKOUT / "docs" / "runbook.md"
TYPES = (
    "Account",
    "Cluster",
    "IAMMember",
    "Network",
    "NodePool",
    "Repository",
    "RepositoryIamMember",
    "Subnetwork",
)


@pytest.fixture(scope="module")
def google(lab: Lab) -> Iterator[Google]:
    found = Google(lab)
    found.clear()
    yield found
    found.clear()


# ---------------------------------------------------------------- one life, in order


CHAIN = (
    # What fails, how, and what Google says. Each entry is one `up`; the next one gets past it.
    ("Account", "permission", "Permission 'iam.serviceAccounts.create' denied"),
    ("IAMMember", "permission", "Permission 'resourcemanager.projects.setIamPolicy' denied"),
    ("Cluster", "quota", "Insufficient regional quota to satisfy request"),
    ("Cluster", "permission", 'Required "container.clusters.create" permission(s)'),
    ("Cluster", "disabled", "Kubernetes Engine API has not been used"),
    ("Cluster", "timeout", "timeout while waiting for state to become 'DONE'"),
    ("NodePool", "quota", "Insufficient regional quota to satisfy request"),
    ("NodePool", "partial", "only 0 nodes out of 1 have registered"),
)


class Life:
    """The stack, and what its first commands said: an `up` without any fault is the README's
    (test_gke_readme.py)."""

    def __init__(self, stack: Stack, google: Google) -> None:
        self.stack, self.google = stack, google
        self.preview = stack.pulumi("preview")
        self.untouched = not google.resources() and not _namespace(stack)
        self.failed: list[Result] = []
        self.there: list[bool] = []
        """Whether that on which the fault was is there after it."""
        for kind, fault, _ in CHAIN:
            faults.inject(google.cloud, kind, "create", fault)
            self.failed.append(stack.pulumi(*UP))
            self.there.append(google.has(kind))
        self.up = stack.pulumi(*UP)

    def pods(self) -> dict[str, str]:
        return {name: pod["metadata"]["uid"] for name, pod in self.stack.pods().items()}


@pytest.fixture(scope="module")
def life(google: Google, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """The stack as Pulumi.prod.yaml has it; the tests below go on from one another."""
    folder = tmp_path_factory.mktemp("gke")
    stack = stack_on(google, "gke-prod", folder, storage={"retain": False})
    life = Life(stack, google)
    yield life
    if google.resources():  # what a failed test has left is protected
        stack.set(gke={"deletionProtection": False})
        stack.pulumi(*UP)
    stack.remove_objects()  # some of them are in no namespace
    stack.remove()


def test_a_preview_from_nothing_is_complete_and_readable(life: Life) -> None:
    done = life.preview
    assert done.code == 0, done
    assert "Traceback" not in done.output
    for kind in TYPES:
        assert re.search(rf"gcp:\w+:{kind} .*create", done.output), f"{kind}: {done}"
    for kind in ("StatefulSet", "Service", "StorageClass", "PriorityClass"):
        assert f":{kind} " in done.output, done
    for sequence in ("Requirements", "Preflight", "Namespace", "Discovery", "Handover"):
        assert f"etcd:{sequence} " in done.output, done
    assert life.untouched, "a preview makes nothing"


@pytest.mark.parametrize("number", range(len(CHAIN)), ids=lambda n: " ".join(CHAIN[n][:2]))
def test_after_every_fault_the_next_up_goes_on(number: int, life: Life) -> None:
    _, fault, says = CHAIN[number]
    _is_googles_error(life.failed[number], says)
    assert life.there[number] is (fault in ("timeout", "partial")), life.failed[number]


def test_the_up_after_them_ends_with_a_balanced_cluster(life: Life) -> None:
    assert life.up.code == 0, life.up
    assert "Traceback" not in life.up.output
    stack = life.stack
    assert sorted(stack.pods()) == UNITS
    members = stack.members()
    assert sorted(members) == UNITS
    assert not any(m.get("isLearner") for m in members.values())
    assert sorted(life.google.resources().values()) == sorted(TYPES)


def test_members_run_on_the_pool_that_is_theirs(life: Life) -> None:
    node = json.loads(life.stack.run("kubectl", "get", "nodes", "-o", "json").output)["items"][0]
    labels = node["metadata"]["labels"]
    assert labels["etcd.pulumi.com/dedicated"] == "true"
    assert node["spec"]["taints"][0]["key"] == "components.gke.io/gke-managed-components"
    for pod in life.stack.pods().values():
        selector = pod["spec"]["nodeSelector"]
        assert selector["etcd.pulumi.com/dedicated"] == "true"
        assert selector.items() <= labels.items()
        assert pod["spec"]["priorityClassName"] == "etcd"
        image = pod["spec"]["containers"][0]["image"]
        assert re.fullmatch(r"localhost:5000/etcd@sha256:[0-9a-f]{64}", image)


def test_the_kubeconfig_is_a_secret_output_that_works(life: Life, tmp_path: Path) -> None:
    stack = life.stack
    shown = ("pulumi", "stack", "output", "kubeconfig", "--stack", stack.name)
    assert "[secret]" in stack.run(*shown).output
    kubeconfig = tmp_path / "kubeconfig"
    text = stack.run(*shown, "--show-secrets", check=True).output
    kubeconfig.write_text(text)
    content = json.loads(text)
    assert content["current-context"] == f"gke_{PROJECT}_us-central1_etcd-gke-prod"
    assert "certificate-authority-data" not in content["clusters"][0]["cluster"]
    for secret in ("client-key", "token", "PRIVATE KEY"):
        assert secret not in text
    done = stack.run("kubectl", "--kubeconfig", str(kubeconfig), "get", "nodes", "-o", "name")
    assert done.output.startswith("node/"), done


def test_a_second_up_and_a_refresh_change_nothing(life: Life) -> None:
    before = life.pods()
    for command in (
        (*UP, "--expect-no-changes"),
        ("refresh", "--yes", "--skip-preview", "--expect-no-changes"),
        (*UP, "--expect-no-changes"),
        ("preview", "--expect-no-changes"),
    ):
        done = life.stack.pulumi(*command)
        assert done.code == 0, done
    assert life.pods() == before


def test_more_nodes_come_in_place(life: Life) -> None:
    before = life.pods()
    life.stack.set(gke={"nodeCount": 6})
    foreseen = life.stack.pulumi("preview")
    assert re.search(r"gcp:container:NodePool .*update.*nodeCount", foreseen.output), foreseen
    done = life.stack.up()
    assert re.search(r"gcp:container:NodePool .*updated", done.output), done
    assert "replace" not in done.output
    assert _pool(life)["nodeCount"] == 2, "in each of three zones"
    assert life.pods() == before


def test_a_pool_that_somebody_else_has_resized_is_seen_and_set_right(life: Life) -> None:
    with life.google.cloud.changing() as there:
        there[life.google.one("NodePool")]["inputs"]["nodeCount"] = 1
    seen = life.stack.pulumi("refresh", "--yes", "--skip-preview")
    assert re.search(r"gcp:container:NodePool .*updated.*nodeCount", seen.output), seen
    life.stack.up()
    assert _pool(life)["nodeCount"] == 2
    life.stack.up("--expect-no-changes")


def test_a_refused_resize_is_told_and_the_next_up_does_it(life: Life) -> None:
    before = life.pods()
    faults.inject(life.google.cloud, "NodePool", "update", "quota")
    life.stack.set(gke={"nodeCount": 9})
    refused = life.stack.pulumi(*UP)
    _is_googles_error(refused, "Insufficient regional quota to satisfy request")
    assert _pool(life)["nodeCount"] == 2
    life.stack.up()
    assert _pool(life)["nodeCount"] == 3
    assert life.pods() == before


def test_another_region_would_replace_everything_and_is_refused(life: Life) -> None:
    before, there = life.pods(), life.google.resources()
    life.stack.set(gke={"region": "europe-west1"})
    for command in (("preview",), UP):
        done = life.stack.pulumi(*command)
        assert done.code != 0, done
        assert "Traceback" not in done.output
        assert "etcd:gke.region goes from us-central1 to europe-west1" in done.output, done
        assert f"would replace projects/{PROJECT}/locations/" in done.output, done
        assert "Next: pulumi config set --path etcd:gke.region us-central1" in done.output, done
    assert (life.pods(), life.google.resources()) == (before, there)
    life.stack.set(gke={"region": "us-central1"})
    life.stack.up("--expect-no-changes")


@pytest.mark.parametrize("flags", [("--yes",), ("--yes", "--skip-preview")], ids=" ".join)
def test_a_protected_stack_is_not_destroyed(flags: tuple[str, ...], life: Life) -> None:
    """Not in part either: the members go before the nodes, which are what Google protects."""
    before, there = life.pods(), life.google.resources()
    done = life.stack.pulumi("destroy", *flags)
    assert done.code != 0, done
    assert "protected" in done.output, done
    assert "Traceback" not in done.output
    assert (life.pods(), life.google.resources()) == (before, there)
    if "--skip-preview" in flags:
        lift = "Next: pulumi config set --path etcd:gke.deletionProtection false && pulumi up"
        assert lift in done.output, done
    life.stack.up("--expect-no-changes")


def test_unprotected_it_is_destroyed_and_nothing_is_left(life: Life) -> None:
    life.stack.set(gke={"deletionProtection": False})
    life.stack.up()
    done = life.stack.destroy()
    assert "Traceback" not in done.output
    assert life.google.resources() == {}
    assert _left_in_kubernetes(life.stack) == []


# ---------------------------------------------------------------- what goes wrong


@pytest.fixture
def stack(google: Google, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack that may be destroyed at any time."""
    name = f"gke-{request.node.name.removeprefix('test_')[:12].replace('_', '-').strip('-')}"
    made = stack_on(
        google, name, tmp_path, gke={"deletionProtection": False}, storage={"retain": False}
    )
    yield made
    made.remove_objects()
    made.remove()
    google.clear()


@pytest.mark.parametrize(
    ("kind", "fault", "says"),
    [
        ("Network", "disabled", "Compute Engine API has not been used in project my-project"),
        ("Repository", "disabled", "Artifact Registry API has not been used"),
        ("Cluster", "timeout", "timeout while waiting for state to become 'DONE'"),
    ],
)
def test_a_half_made_stack_goes_on_and_is_destroyed_with_nothing_left(
    kind: str, fault: str, says: str, stack: Stack, google: Google
) -> None:
    faults.inject(google.cloud, kind, "create", fault)
    _is_googles_error(stack.pulumi(*UP), says)
    # What comes next fails too, so that this takes seconds: no etcd is born.
    faults.inject(google.cloud, "NodePool", "create", "quota")
    _is_googles_error(stack.pulumi(*UP), "error creating NodePool")
    assert google.has(kind)
    stack.destroy()
    assert google.resources() == {}
    assert _left_in_kubernetes(stack) == []


def test_a_name_that_is_taken_is_told_and_a_free_one_is_enough(
    stack: Stack, google: Google
) -> None:
    """Also what comes of a create whose answer was lost: the cluster is there, nobody knows it."""
    faults.inject(google.cloud, "Cluster", "create", "lost")
    _is_googles_error(stack.pulumi(*UP), "connection reset by peer")
    cluster = google.one("Cluster")
    _is_googles_error(stack.pulumi(*UP), f"Error 409: Already exists: {cluster}")
    assert google.one("Cluster") == cluster
    with google.cloud.changing() as there:  # gcloud container clusters delete
        del there[cluster]
    faults.inject(google.cloud, "NodePool", "create", "quota")
    _is_googles_error(stack.pulumi(*UP), "error creating NodePool")
    assert google.one("Cluster") == cluster, "recreated"
    stack.destroy()
    assert google.resources() == {}


def test_what_google_goes_on_with_when_up_is_killed_is_imported_as_the_runbook_says(
    stack: Stack, google: Google, tmp_path: Path
) -> None:
    """Pulumi has a pending create then, and no ID."""
    faults.inject(google.cloud, "Cluster", "create", "endless")
    with background_up(stack, tmp_path / "up.log"):
        until("the cluster", lambda: google.has("Cluster"), 120)
    cluster = google.one("Cluster")
    there = google.cloud.resources()[cluster]
    refused = stack.pulumi(*UP)
    _is_googles_error(refused, f"Error 409: Already exists: {cluster}")
    (urn,) = re.findall(r"\* (urn:\S+Cluster::\S+), interrupted while creating", refused.output)
    kind, name = urn.rpartition("$")[2].split("::")
    words = {
        "TYPE": kind,
        "NAME": name,
        "ID": cluster,
        "parent=PARENT": f"parent={urn.replace(f'${kind}', '')}",
    }
    for command in _runbook("What Google has and Pulumi does not know"):
        verb, *rest = (words.get(word, word) for word in command.split()[1:])
        done = stack.pulumi(verb, *rest, "--yes", "--skip-preview")
        assert done.code == 0, done

    faults.inject(google.cloud, "NodePool", "create", "quota")
    after = stack.pulumi(*UP)
    _is_googles_error(after, "error creating NodePool")
    assert "gcp:container:Cluster" not in after.output, "recreated, or changed"
    assert "interrupted while creating" not in after.output
    assert google.cloud.resources()[cluster] == there
    stack.destroy()
    assert google.resources() == {}


def test_a_deletion_that_google_refuses_is_done_by_the_next_destroy(
    stack: Stack, google: Google
) -> None:
    faults.inject(google.cloud, "NodePool", "create", "quota")
    assert stack.pulumi(*UP).code != 0
    faults.inject(google.cloud, "Cluster", "delete", "permission")
    done = stack.pulumi("destroy", "--yes", "--skip-preview")
    _is_googles_error(done, 'Required "container.clusters.delete" permission(s)')
    stack.destroy()
    assert google.resources() == {}


# ---------------------------------------------------------------- the tests' eyes


def _is_googles_error(done: Result, says: str) -> None:
    """One error for people: Google's words, and nothing of ours that went wrong over it."""
    (error,) = errors_of(done)
    assert says in error, done


def _runbook(title: str) -> list[str]:
    """The commands of the first shell block under this title."""
    _, _, section = RUNBOOK.read_text().partition(f"\n## {title}\n")
    lines = section.split("```sh\n")[1].split("```")[0].splitlines()
    return [line.strip() for line in lines if line.strip()]


def _pool(life: Life) -> dict[str, Any]:
    return life.google.cloud.resources()[life.google.one("NodePool")]["inputs"]


def _namespace(stack: Stack) -> str:
    command = ("kubectl", "get", "namespace", stack.namespace, "--ignore-not-found", "-o", "name")
    return stack.run(*command).output.strip()


def _left_in_kubernetes(stack: Stack) -> list[str]:
    """What of the stack is still there, inside its namespace and outside."""
    label = f"app.kubernetes.io/instance={stack.name}"
    listed = ("kubectl", "get", "storageclasses,priorityclasses", "-l", label, "-o", "name")
    claims = 'jsonpath={range .items[*]}{.spec.claimRef.namespace}{"\\n"}{end}'
    volumes = stack.run("kubectl", "get", "persistentvolumes", "-o", claims, check=True).output
    node = ("kubectl", "get", "nodes", "-l", "etcd.pulumi.com/dedicated", "-o", "name")
    return [
        *_namespace(stack).split(),
        *stack.run(*listed, check=True).output.split(),
        *(volume for volume in volumes.split() if volume == stack.namespace),
        *stack.run(*node, check=True).output.split(),
    ]
