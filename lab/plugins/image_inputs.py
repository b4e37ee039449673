"""What the inputs of an image mean: defaults, changes, and what to build. Plain values only."""

from pathlib import Path
from typing import Any

from lab.plugins.build_context import digest
from lab.plugins.docker_build import Login, Recipe
from lab.plugins.unknown import UNKNOWN

_BUILD_INPUTS = (
    "args",
    "builderVersion",
    "cacheFrom",
    "context",
    "contextDigest",
    "dockerfile",
    "network",
    "platform",
    "target",
)
_COMPARED = ("imageName", "build", "skipPush")
"""Inputs whose change makes a new image. The registry's password may change without one."""


def checked_build(build: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the `build` input with defaults and digest, and failures as (property, reason)."""
    failures = [
        (f"build.{name}", "is not served by the stand-in of the Docker plugin")
        for name in build
        if name not in _BUILD_INPUTS
    ]
    context = build.get("context") or "."
    dockerfile = build.get("dockerfile") or str(Path(context) / "Dockerfile")
    checked = {**build, "context": context, "dockerfile": dockerfile}
    if UNKNOWN in (context, dockerfile):
        return checked, failures
    if not Path(context).is_dir():
        todo = "Next: name the folder that holds the Dockerfile"
        failures.append(("build.context", f"is {context!r}, which is no folder.\n{todo}"))
    elif not Path(dockerfile).is_file():
        todo = "Next: name the Dockerfile, relative to the program"
        failures.append(("build.dockerfile", f"is {dockerfile!r}, which is no file.\n{todo}"))
    else:
        checked["contextDigest"] = digest(Path(context), Path(dockerfile))
    return checked, failures


def changed_inputs(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return the names of the inputs whose change makes a new image."""
    changed = [name for name in _COMPARED if old.get(name) != new.get(name)]
    if login_of(old).server != login_of(new).server:
        changed.append("registry")
    return changed


def recipe_of(inputs: dict[str, Any]) -> Recipe:
    """Return what to build, from checked inputs."""
    build = inputs["build"]
    return Recipe(
        image_name=inputs["imageName"],
        context=Path(build["context"]),
        dockerfile=Path(build["dockerfile"]),
        arguments=build.get("args") or {},
        platform=build.get("platform") or "",
        target=build.get("target") or "",
        network=build.get("network") or "",
        cache_from=(build.get("cacheFrom") or {}).get("images") or (),
    )


def login_of(inputs: dict[str, Any]) -> Login:
    """Return the account at the registry, from checked inputs."""
    registry = inputs.get("registry") or {}
    return Login(**{k: registry.get(k) or "" for k in ("server", "username", "password")})


def repo_digest(recipe: Recipe, image: dict[str, Any]) -> str:
    """Return `repository@sha256:...` of a pushed image; the image ID of one that is only local."""
    ours = [d for d in image.get("RepoDigests") or [] if d.startswith(f"{recipe.repository}@")]
    return ours[0] if ours else image["Id"]
