"""The stand-in of the Docker plugin: what makes a new image, and what is built and pushed."""

import json
from pathlib import Path

import pytest

from lab.plugins.build_context import digest
from lab.plugins.docker_build import Docker, DockerError, Login, Recipe
from lab.plugins.image_inputs import changed_inputs, checked_build, recipe_of, repo_digest


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """Return a small build context."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("**/__pycache__\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print()\n")
    return tmp_path


def of(context: Path) -> str:
    return digest(context, context / "Dockerfile")


def test_digest_sees_every_change_that_the_build_sees(context: Path) -> None:
    seen = {of(context)}
    (context / "app" / "main.py").write_text("print(1)\n")
    seen.add(of(context))
    (context / "app" / "main.py").chmod(0o755)
    seen.add(of(context))
    (context / "app" / "main.py").rename(context / "app" / "other.py")
    seen.add(of(context))
    (context / "link").symlink_to("app")
    seen.add(of(context))
    (context / "link").unlink()
    (context / "link").symlink_to("Dockerfile")
    seen.add(of(context))
    (context / "Dockerfile").write_text("FROM scratch\nUSER 1\n")
    seen.add(of(context))
    assert len(seen) == 7


def test_digest_sees_nothing_that_the_build_does_not_see(context: Path) -> None:
    before = of(context)
    (context / "app" / "__pycache__").mkdir()
    (context / "app" / "__pycache__" / "main.pyc").write_text("x")
    (context / "app" / "main.py").touch()
    (context / "empty").mkdir()
    assert of(context) == before


def inputs(**changes: object) -> dict[str, object]:
    build = {"context": ".", "dockerfile": "Dockerfile", "contextDigest": "1", "args": {"A": "1"}}
    return {"imageName": "localhost:5000/etcd:v1", "build": build, "skipPush": False, **changes}


@pytest.mark.parametrize(
    ("new", "changed"),
    [
        pytest.param(inputs(), [], id="same"),
        pytest.param(inputs(imageName="localhost:5000/etcd:v2"), ["imageName"], id="name"),
        pytest.param(inputs(build={"contextDigest": "2"}), ["build"], id="files"),
        pytest.param(inputs(registry={"password": "new"}), [], id="password"),
        pytest.param(inputs(registry={"server": "other"}), ["registry"], id="registry"),
        pytest.param(inputs(buildOnPreview=True), [], id="build on preview"),
    ],
)
def test_an_image_is_made_anew_only_where_it_would_differ(
    new: dict[str, object], changed: list[str]
) -> None:
    assert changed_inputs(inputs(), new) == changed


def test_check_gives_the_digest_and_takes_defaults(context: Path) -> None:
    build, failures = checked_build({"context": str(context)})
    assert failures == []
    assert build["dockerfile"] == str(context / "Dockerfile")
    assert build["contextDigest"] == of(context)


@pytest.mark.parametrize(
    ("build", "at"),
    [
        pytest.param({"context": "/nowhere"}, "build.context", id="no context"),
        pytest.param({"context": "/", "dockerfile": "/x"}, "build.dockerfile", id="no Dockerfile"),
        pytest.param({"context": "/nowhere", "addHosts": []}, "build.addHosts", id="not served"),
    ],
)
def test_check_refuses_a_build_that_cannot_be(build: dict[str, object], at: str) -> None:
    assert at in [name for name, _ in checked_build(build)[1]]


def test_what_is_unknown_in_preview_is_not_looked_for() -> None:
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    assert checked_build({"context": unknown})[1] == []


@pytest.mark.parametrize(
    ("name", "repository", "registry"),
    [
        pytest.param("localhost:5000/etcd:v1", "localhost:5000/etcd", "localhost:5000", id="port"),
        pytest.param("localhost:5000/etcd", "localhost:5000/etcd", "localhost:5000", id="no tag"),
        pytest.param("eu.gcr.io/p/etcd:v1", "eu.gcr.io/p/etcd", "eu.gcr.io", id="host"),
        pytest.param("me/etcd:v1", "me/etcd", "docker.io", id="Docker Hub"),
        pytest.param("etcd", "etcd", "docker.io", id="bare"),
    ],
)
def test_image_name_is_taken_apart(name: str, repository: str, registry: str) -> None:
    recipe = Recipe(name, Path(), Path("Dockerfile"))
    assert (recipe.repository, recipe.registry) == (repository, registry)


def test_build_command_carries_every_input() -> None:
    build = {
        "context": "c",
        "dockerfile": "c/Dockerfile",
        "args": {"B": "2", "A": "1"},
        "platform": "linux/amd64",
        "target": "t",
        "network": "none",
        "cacheFrom": {"images": ["x"]},
    }
    command = recipe_of({"imageName": "i:1", "build": build}).build_command()
    assert command[2:] == [
        *("--file", "c/Dockerfile", "--tag", "i:1", "--build-arg=A=1", "--build-arg=B=2"),
        *("--platform=linux/amd64", "--target=t", "--network=none", "--cache-from=x", "c"),
    ]


def test_digest_of_the_pushed_repository_is_given_out_of_several() -> None:
    recipe = Recipe("localhost:5000/etcd:v1", Path(), Path("Dockerfile"))
    digests = ["localhost:5000/other@sha256:1", "localhost:5000/etcd@sha256:2"]
    assert repo_digest(recipe, {"Id": "sha256:9", "RepoDigests": digests}) == digests[1]
    assert repo_digest(recipe, {"Id": "sha256:9", "RepoDigests": None}) == "sha256:9"


def client(folder: Path, script: str) -> Docker:
    """Return a Docker whose client is a script."""
    path = folder / "docker"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Docker(str(path), lambda _: None)


RECIPE = Recipe("localhost:5000/etcd:v1", Path(), Path("Dockerfile"))


def test_failed_push_is_one_clear_error(tmp_path: Path) -> None:
    docker = client(tmp_path, "seq 1 50; echo denied; exit 1")
    with pytest.raises(DockerError) as raised:
        docker.push(RECIPE, Login())
    lines = str(raised.value).splitlines()
    assert lines[0].startswith("Docker push of localhost:5000/etcd:v1 failed")
    assert "  | denied" in lines
    assert lines[-1].startswith("Next: ")
    assert len(lines) < 15


def test_missing_client_and_engine_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DockerError, match="Next: install Docker"):
        Docker(str(tmp_path / "none"), lambda _: None).build(RECIPE)
    docker = client(tmp_path, "echo Cannot connect to the Docker daemon at x; exit 1")
    with pytest.raises(DockerError, match="Next: start the Docker Engine"):
        docker.build(RECIPE)


def test_account_reaches_the_client_and_never_its_command_line(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    docker = client(tmp_path, f'echo "$@" >{seen}; cat "$2/config.json" >>{seen}')
    docker.push(RECIPE, Login(username="me", password="secret-word"))
    command, _, config = seen.read_text().partition("\n")
    assert "secret-word" not in command
    assert json.loads(config)["auths"]["localhost:5000"]["auth"] == "bWU6c2VjcmV0LXdvcmQ="


def test_nothing_starts_after_a_cancel(tmp_path: Path) -> None:
    docker = client(tmp_path, f"touch {tmp_path / 'ran'}")
    docker.cancel()
    with pytest.raises(DockerError, match="cancelled"):
        docker.build(RECIPE)
    assert not (tmp_path / "ran").exists()
