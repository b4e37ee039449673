"""The README says what the program does, and of each of its commands a test does the same."""

from __future__ import annotations

import ast
import html
import re
from pathlib import Path

import pytest
import yaml

from docs import reference
from lab.plugins.gcp.types import TYPES
from tests.program.conftest import Declare, make_cluster
from tests.support.gcp_inputs import AROUND, GOOD, kind

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_MAKE = "tests/e2e/test_make.py"
_BALANCED = "tests/e2e/test_balanced.py::test_a_second_up_and_a_refresh_change_nothing"
_OWN = f"{_MAKE}::test_the_same_commands_work_on_a_cluster_of_ones_own"
_RETAINED = "tests/e2e/test_retained.py::test_retained_data_comes_back_without_seeds"
_INTERRUPTED = (
    "tests/e2e/test_interrupted.py::test_an_up_killed_at_one_step_after_the_other_ends_balanced"
)
_SCALING = "tests/e2e/test_scaling.py"
_GROWN = f"{_SCALING}::test_new_units_join_by_an_up_and_no_write_is_lost"
_SHRUNK = "test_surplus_units_leave_by_an_up_the_highest_first"
_BY_HAND = "test_a_scale_by_hand_does_no_harm_and_the_next_up_restores_the_count"
_ROLLED = "test_a_changed_template_comes_one_pod_at_a_time_and_the_leader_is_last"
_UPGRADED = "test_the_next_minor_of_etcd_comes_unit_by_unit_and_does_not_go_back"

_DOWN = f"{_MAKE}::test_destroy_and_lab_down_leave_nothing"
_SEEDS = "tests/e2e/test_lost_state.py::test_a_state_lost_in_the_middle_of_a_handover_costs_no_data"

_PULL = (
    "tests/e2e/test_pull_secrets.py"
    "::test_nodes_pull_by_a_secret_and_once_its_password_is_corrected_an_up_is_enough"
)
_LOGIN = "--docker-server=registry.example.com --docker-username=USER --docker-password=PASSWORD"
_GKE = "tests/e2e/test_gke_readme.py::test_every_command_of_the_readme_works_in_its_order"
_APIS = (
    "gcloud services enable artifactregistry.googleapis.com cloudresourcemanager.googleapis.com "
    "compute.googleapis.com container.googleapis.com iam.googleapis.com --project my-project"
)

_CONNECT = (
    "kubectl --context my-context -n etcd exec etcd-0 -- etcdctl --endpoints=http://127.0.0.1:2379"
)

DONE_BY = {
    "gcloud auth login": _GKE,
    "gcloud auth application-default login": _GKE,
    "gcloud components install gke-gcloud-auth-plugin": _GKE,
    "gcloud auth configure-docker us-central1-docker.pkg.dev": _GKE,
    _APIS: _GKE,
    "pulumi stack init prod": _GKE,
    "pulumi stack init mine": _GKE,
    "pulumi config set gcp:project my-project": _GKE,
    "pulumi stack output kubeconfig --show-secrets > kubeconfig": _GKE,
    "kubectl --kubeconfig kubeconfig -n etcd exec etcd-0 -- etcdctl put greeting hello": _GKE,
    "pulumi config set --path etcd:gke.nodeCount 6": _GKE,
    "pulumi config set --path etcd:gke.deletionProtection false": _GKE,
    "pulumi config set --path etcd:storage.retain false": _GKE,
    "pulumi stack rm prod --preserve-config": _GKE,
    "make up": f"{_MAKE}::test_make_up_ends_with_members_endpoint_and_a_first_key",
    "make test": ".ci/run",
    "make lint": ".ci/run",
    "make status": f"{_MAKE}::test_status_and_preview_are_quiet_about_a_healthy_cluster",
    "make preview": f"{_MAKE}::test_status_and_preview_are_quiet_about_a_healthy_cluster",
    "make destroy": _DOWN,
    "make lab-up": f"{_MAKE}::test_make_up_ends_with_members_endpoint_and_a_first_key",
    "make lab-down": _DOWN,
    "make docs": f"{_MAKE}::test_the_tables_of_the_documents_are_as_make_docs_writes_them",
    "make help": f"{_MAKE}::test_help_explains_every_target",
    "make preview STACK=mine": _OWN,
    "make up STACK=mine": _OWN,
    "make status STACK=mine": _OWN,
    "make destroy STACK=mine": _OWN,
    ". .lab/env": f"{_MAKE}::test_the_first_key_as_make_up_says",
    "etcdctl put greeting hello": f"{_MAKE}::test_the_first_key_as_make_up_says",
    "etcdctl get greeting": f"{_MAKE}::test_the_first_key_as_make_up_says",
    "etcdctl member list": f"{_MAKE}::test_plain_commands_work_in_the_labs_shell",
    "kubectl get pods -n etcd": f"{_MAKE}::test_plain_commands_work_in_the_labs_shell",
    "kubectl create namespace etcd": _PULL,
    f"kubectl -n etcd create secret docker-registry registry-login {_LOGIN}": _PULL,
    f"{_CONNECT} put greeting hello": _OWN,
    f"{_CONNECT} get greeting": _OWN,
    "pulumi preview": f"{_MAKE}::test_plain_commands_work_in_the_labs_shell",
    "pulumi up": f"{_MAKE}::test_plain_commands_work_in_the_labs_shell",
    "pulumi refresh": _BALANCED,
    "pulumi cancel": _INTERRUPTED,
    "pulumi refresh --clear-pending-creates": _INTERRUPTED,
    "kubectl -n etcd get pods": _SEEDS,
    "kubectl -n etcd logs etcd-seed-0": _SEEDS,
    "kubectl -n etcd exec etcd-seed-0 -- python3 -m supervisor status": _SEEDS,
    "pulumi config set --path etcd:units.count 5": _GROWN,
    "pulumi config set --path etcd:units.count 3": f"{_SCALING}::{_SHRUNK}",
    "pulumi config set --path etcd:units.memory 2Gi": f"{_SCALING}::{_ROLLED}",
    "pulumi config set --path etcd:etcd.version 3.7.1": f"{_SCALING}::{_UPGRADED}",
    "kubectl -n etcd scale statefulset etcd --replicas=4": f"{_SCALING}::{_BY_HAND}",
    "pulumi config set --path etcd:storage.retain true": _RETAINED,
    "pulumi destroy": "tests/e2e/test_balanced.py::test_destroy_leaves_nothing",
}
"""Command of the README -> the test that does the same: it runs the command, with flags for its own
stack, or writes into that stack's file what `pulumi config set` would, at times with a value that a
lab has room for."""

_LOAD_BALANCER = "pulumi config set --path etcd:service.type LoadBalancer"
DONE_BY[_LOAD_BALANCER] = (
    "tests/e2e/test_retained.py::test_a_load_balancers_address_is_waited_for_and_told"
)

RUN_BY_NO_TEST = {
    "make test ARGS=tests/e2e/test_balanced.py": "a part of make test",
    "make test-unit": "a part of make test",
    "make simulate": "minutes; make test lives some lives",
    "make faults": "hours; make test has three scenarios",
    "make bench": "wants the machine for itself",
    "make lock": "changes what is locked",
    "pulumi login": "asks for somebody's backend",
    "kubectl -n etcd get service etcd": "a NodePort's, which no test opens",
    "pulumi install": "gets plugins from where the tests do not reach",
    "pulumi config rm etcd:discovery": "before an upgrade of a cluster born by v2",
    "etcdctl downgrade enable": "named as what was not tried",
    "kubectl rollout restart": "named as what does nothing",
    "kubectl rollout undo": "named as what does nothing",
}
"""Command of the README -> why."""


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", README, re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line]


def prose() -> list[str]:
    """What stands between backticks outside of the blocks."""
    text = re.sub(r"^```.*?^```$", "", README, flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", text)


def commands_in_prose() -> set[str]:
    programs = ("docker", "etcdctl", "etcdutl", "gcloud", "kubectl", "make", "pulumi")
    return {code for code in prose() if code.partition(" ")[0] in programs and " " in code}


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, without its head and without backticks."""
    _, _, rest = README.partition(f"\n## {heading}\n")
    lines = re.findall(r"^\|.*\|$|^## ", rest, re.M)
    end = lines.index("## ") if "## " in lines else len(lines)
    cells = [re.split(r" ?\| ?", line)[1:-1] for line in lines[2:end]]
    return [[html.unescape(cell.replace("`", "")) for cell in row] for row in cells]


def test_the_config_table_is_what_the_schema_says() -> None:
    """The schema itself agrees with the program: test_settings_schema."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    keys = [
        [f"{group}.{key}", kind, default, meaning]
        for group, schema in project["config"].items()
        for key, kind, default, meaning in re.findall(
            r"^- (\w+) \((\w+), (?:default )?(.+?)\): (.+)$", schema["description"], re.M
        )
    ]
    assert rows("Configuration") == keys


def test_what_is_generated_is_as_it_would_be_generated_now() -> None:
    """Else: make docs."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    assert (ROOT / "docs" / "config.md").read_text() == reference.page(project)
    assert reference.readme(README, project) == README


@pytest.mark.parametrize("text", ["# no heading\n", "## Configuration\n\nno table\n"])
def test_a_readme_without_a_place_for_a_table_is_no_silent_success(text: str) -> None:
    with pytest.raises(ValueError, match="no table below Configuration"):
        reference.readme(f"\n{text}", {"config": {}})


def test_the_outputs_table_is_what_the_program_exports() -> None:
    assert [name for name, _ in rows("Outputs")] == list(make_cluster().exports)


def test_what_is_told_of_a_made_cluster_is_told_of_no_other(declare: Declare) -> None:
    others = list(declare().exports)
    assert [name for name, text in rows("Outputs") if "gke.create" not in text] == others


def test_what_stays_as_it_is_is_what_the_gates_refuse(declare: Declare) -> None:
    gates = (
        declare().one("pulumi-python:dynamic/etcd:Preflight"),
        make_cluster().one("pulumi-python:dynamic/etcd:Requirements"),
    )
    fixed = [key for gate in gates for key in gate.inputs["fixed"]]
    (told,) = re.findall(r"^These stay as they are .*?: (.*?)\.(?: |$)", README, re.M | re.S)
    keys = [key for key in fixed if "." in key]  # beside config keys: the stack's name
    assert sorted(re.findall(r"`(.*?)`", told)) == sorted(keys)


def test_every_make_target_is_explained_and_none_that_is_not_there() -> None:
    offered = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M)
    told = [words.split()[1] for words in [*commands(), *prose()] if words.startswith("make ")]
    assert set(told) == set(offered)


def test_every_command_of_the_readme_has_a_test_that_does_the_same_or_a_reason_for_none() -> None:
    assert {*commands(), *commands_in_prose()} == {*DONE_BY, *RUN_BY_NO_TEST}
    assert not DONE_BY.keys() & RUN_BY_NO_TEST
    assert not {*commands()} & RUN_BY_NO_TEST.keys(), "of a block every command is run"


@pytest.mark.parametrize("test", sorted(set(DONE_BY.values())))
def test_the_tests_that_do_the_same_are_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text() if name else (ROOT / path).exists()


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_every_link_leads_somewhere(file: Path) -> None:
    text = file.read_text()
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        assert not path or (file.parent / path).exists(), target
        assert not anchor or path or anchor in anchors, target


def test_the_runbook_has_the_id_of_everything_that_google_makes() -> None:
    """For `pulumi import`; the stand-in's are those that the provider reads."""
    _, _, section = (ROOT / "docs" / "runbook.md").read_text().partition("\n## What Google has and")
    lines = re.findall(r"^\| (`gcp:.*?) \| (.*) \|$", section.partition("\n## ")[0], re.M)
    told = {token: id_ for tokens, id_ in lines for token in re.findall(r"`(.*?)`", tokens)}
    assert set(told) == set(TYPES)
    for name, inputs in GOOD.items():
        if not kind(name).shared:  # else it is no error to make it again
            assert told[kind(name).token] == f"`{kind(name).identify(inputs, AROUND)}`"


@pytest.mark.parametrize(
    ("role", "sayers"),
    [
        ("unit", ["unit.Unit", "termination.Termination"]),
        ("seed", ["seed.Seed"]),
        ("discovery", ["discovery.Discovery"]),
        ("all", ["main_loop.words_for"]),
    ],
)
def test_every_phase_of_a_supervisor_is_told_and_none_that_it_has_not(
    role: str, sayers: list[str]
) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text.partition("| role | phases |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = re.findall(rf"^\| {role} .*(?:\n\| \| .*)*", table, re.M)
    told = re.findall(r"`(.*?)`", "".join(rows))
    parts = {part for sayer in sayers for part in phase_parts(defined(sayer))}
    assert {part for part in parts if not any(part in phase for phase in told)} == set()
    assert {phase for phase in told if not any(part in phase for part in parts)} == set()


def defined(name: str) -> ast.ClassDef | ast.FunctionDef:
    """What stands under `<module>.<name>` in the supervisor."""
    module, _, own = name.partition(".")
    tree = ast.parse((ROOT / "containers" / "etcd" / "supervisor" / f"{module}.py").read_text())
    found = [n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
    (member,) = (n for n in found if n.name == own)
    return member


def phase_parts(member: ast.ClassDef | ast.FunctionDef) -> set[str]:
    """The constant parts of the texts that become phases: given to one of the methods that say
    them, or kept under one of the names that are given to these; or returned by a function."""
    texts: list[ast.expr] = []
    for node in ast.walk(member):
        match node:
            case ast.Call(func=ast.Attribute(attr=method), args=[text, *_]) if method in _SAYING:
                texts.append(text)
            case ast.Assign(targets=[ast.Name(kept) | ast.Attribute(attr=kept)], value=text):
                texts += [text] * (kept in _KEPT)
            case ast.Return(value=ast.JoinedStr() as text) if isinstance(member, ast.FunctionDef):
                texts.append(text)
            case _:
                pass
    parts = [part for t in texts for part in (t.values if isinstance(t, ast.JoinedStr) else [t])]
    return {
        part.value.strip(":; ")
        for part in parts
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    } - {""}


_SAYING = ("beat", "fail", "_say", "_hold", "_start_again")
_KEPT = ("phase", "where", "reason", "_held")


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_modules_are_run_by_the_python_that_has_what_they_import(file: Path) -> None:
    """Debian has no `python`, and its `python3` has none of the packages; in a pod it has."""
    run = re.findall(r"(\S*python3?) -m ([\w.]+)", file.read_text())
    assert {python for python, module in run if module != "supervisor"} <= {"`.venv/bin/python"}


def test_every_file_that_the_documents_name_is_there() -> None:
    for file in DOCUMENTS:
        for name in re.findall(r"`([\w./-]+\.(?:py|txt))`", file.read_text()):
            found = [
                ROOT / name,
                *ROOT.glob(f"components/**/{name}"),
                *ROOT.glob(f"containers/**/{name}"),
            ]
            assert any(path.is_file() for path in found), f"{file.name}: {name}"
