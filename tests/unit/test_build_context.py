"""What the members' image is built from: nothing that happens to lie beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.build_context import files, is_ignored, parse_ignore_file
from components.image import open_to_all, tag
from components.settings import parse
from lab.plugins.build_context import digest

CONTEXT = Path(__file__).parents[2] / "containers" / "etcd"

BESIDE = (
    ".DS_Store",
    ".idea/workspace.xml",
    ".vscode/settings.json",
    "#Dockerfile#",
    "Dockerfile.orig",
    "notes.txt",
    "supervisor/.DS_Store",
    "supervisor/._unit.py",
    "supervisor/.unit.py.swp",
    "supervisor/#unit.py#",
    "supervisor/unit.py~",
    "supervisor/unit.py.orig",
    "supervisor/unit.py.rej",
    "supervisor/__pycache__/unit.cpython-311.pyc",
    "supervisor/.ruff_cache/x",
)
"""What editors, systems, merges and runs of tests leave."""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A copy of the image's folder as a clone has it."""
    left = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(CONTEXT, tmp_path / "etcd", ignore=left)


def names(context: Path) -> set[str]:
    return {f.relative_to(context).as_posix() for f in files(context, context / "Dockerfile")}


def of_image(context: Path) -> tuple[str, str]:
    """What tells one build from another: the plugin's digest, and the tag where none may move."""
    config = {
        "gke": {"create": True, "project": "my-project"},
        "image": {"context": str(context)},
    }
    return digest(context, context / "Dockerfile"), tag(parse(config))


def test_the_build_sees_the_dockerfile_and_every_module_of_the_supervisor(context: Path) -> None:
    modules = {f.relative_to(context).as_posix() for f in context.rglob("*.py")}
    assert names(context) == {"Dockerfile", *modules}
    assert len(modules) > 10
    folders = [f for f in (context / "supervisor").rglob("*") if f.is_dir()]
    assert not folders, "name each in .dockerignore: with ** Docker leaves out what is in it"


@pytest.mark.parametrize("name", BESIDE)
def test_what_lies_beside_makes_no_other_image(name: str, context: Path) -> None:
    before = of_image(context)
    file = context / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("x")
    file.chmod(0o600)
    open_to_all(context)
    assert of_image(context) == before
    assert file.stat().st_mode & 0o777 == 0o600, "nobody's business"


def test_the_lock_of_an_editor_is_no_reason_to_fail(context: Path) -> None:
    """Emacs makes a link that leads nowhere."""
    before = of_image(context)
    (context / "supervisor" / ".#unit.py").symlink_to("me@host.1234")
    open_to_all(context)
    assert of_image(context) == before


def test_what_the_image_is_built_from_makes_another(context: Path) -> None:
    seen = {of_image(context)}
    for name in ("Dockerfile", "supervisor/unit.py", "supervisor/one_more.py"):
        with (context / name).open("a") as file:
            file.write("\n")
        seen.add(of_image(context))
    assert len({plugin for plugin, _ in seen}) == len({tags for _, tags in seen}) == 4


def test_modes_are_those_of_a_clone_whatever_the_umask_was(context: Path) -> None:
    folder, file = context / "supervisor", context / "supervisor" / "unit.py"
    folder.chmod(0o700)
    file.chmod(0o600)
    open_to_all(context)
    assert [path.stat().st_mode & 0o777 for path in (folder, file)] == [0o755, 0o644]


def test_the_dockerfile_is_seen_whatever_the_rules_say(context: Path) -> None:
    (context / ".dockerignore").write_text("*\n")
    assert names(context) == {"Dockerfile"}


@pytest.mark.parametrize(
    ("rules", "path", "ignored"),
    [
        pytest.param("*.pyc", "a.pyc", True, id="star in the first folder"),
        pytest.param("*.pyc", "x/a.pyc", False, id="star stays in its folder"),
        pytest.param("**/*.pyc", "x/y/a.pyc", True, id="two stars go down"),
        pytest.param("**/*.pyc", "a.pyc", True, id="two stars also match no folder"),
        pytest.param("**/__pycache__", "x/__pycache__/a", True, id="all below a folder"),
        pytest.param("docs", "docs-of-mine/a", False, id="whole names only"),
        pytest.param("/docs/", "docs/a", True, id="slashes around do not count"),
        pytest.param("# docs", "docs", False, id="comment"),
        pytest.param("*.md\n!README.md", "README.md", False, id="taken back in"),
        pytest.param("!README.md\n*.md", "README.md", True, id="the last rule decides"),
        pytest.param("a?c", "abc", True, id="any one character"),
        pytest.param("a?c", "a/c", False, id="which is no slash"),
        pytest.param("[ab].txt", "b.txt", True, id="a set"),
        pytest.param("a.b", "axb", False, id="a dot is a dot"),
        pytest.param("", "a", False, id="no rules"),
        pytest.param("*\n!a/[a-z_]*.py", "a/_b.py", False, id="a file is taken back in"),
        pytest.param("*\n!a/[a-z_]*.py", "a/.b.py", True, id="and no other of its folder"),
        pytest.param("*\n!a/*.py", "a/b/c.py", True, id="nor one further down"),
    ],
)
def test_ignore_file_leaves_out_what_docker_leaves_out(
    rules: str, path: str, ignored: bool
) -> None:
    assert is_ignored(path, parse_ignore_file(rules)) == ignored
