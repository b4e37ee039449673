"""The one image of all roles: built and pushed, or taken as it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pulumi
import pulumi_docker as docker

from components.build_context import files
from components.settings import Settings

TOKEN = "etcd:cluster:Image"


class Image(pulumi.ComponentResource):
    """The image, by digest.

    **Pulumi Type:** ``etcd:cluster:Image``
    Children: ``docker:index/image:Image``, unless a prebuilt image is configured; then Docker is
    not asked at all. Deliberately absent: a build in preview.
    """

    ref: pulumi.Output[str]
    """`repository@sha256:...`: a tag would never start a rollout."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        registry: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        image = settings.image
        repository = pulumi.Output.concat(registry, "/", image.repository)
        if not image.build:
            self.ref = pulumi.Output.concat(repository, "@", image.digest or "")
        else:
            open_to_all(Path(image.context))
            built = docker.Image(
                name,
                image_name=pulumi.Output.concat(repository, ":", image.tag or tag(settings)),
                build=docker.DockerBuildArgs(
                    context=image.context,
                    dockerfile=f"{image.context}/Dockerfile",
                    platform=image.platform,
                    # Everything comes from the two bases; a build that needs more is a mistake.
                    network="none",
                    args={
                        "ETCD_BASE": etcd_base(settings),
                        "PYTHON_BASE": image.python_base,
                        "ETCD_VERSION": settings.etcd.version,
                    },
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.ref = built.repo_digest
        self.register_outputs({"ref": self.ref})


def tag(settings: Settings) -> str:
    """The version; in the registry that is made here also what the image is built from.

    There a tag cannot move, so another content must have another one.
    """
    plain = f"v{settings.etcd.version}"
    if settings.image.registry is not None:
        return plain
    image = settings.image
    content = hashlib.sha256()
    for text in (etcd_base(settings), image.python_base, image.platform):
        content.update(f"{text}\0".encode())
    folder = Path(image.context)
    for path in _seen(folder):
        if path.is_file():
            content.update(f"{path.relative_to(folder)}\0".encode())
            content.update(path.read_bytes())
    return f"{plain}-{content.hexdigest()[:12]}"


def open_to_all(folder: Path) -> None:
    """Give what the image is built from the modes of a clone that was made with umask 022.

    Docker's plugin counts all of them in what tells one build from another (`hashPath` in
    pulumi-docker's provider): people with other umasks would rebuild the image in turn, and with
    each new digest all units restart. Raises pulumi.RunError for a file whose mode is not ours to
    change.
    """
    found = [path for path in _seen(folder) if not path.is_symlink()]
    folders = {above for path in found for above in path.parents if folder in above.parents}
    for path in sorted({*found, *folders}):
        mode = path.stat().st_mode & 0o777
        wanted = 0o755 if path.is_dir() or mode & 0o100 else 0o644
        if mode == wanted:
            continue
        try:
            path.chmod(wanted)
        except OSError as error:
            raise pulumi.RunError(
                f"{path} has mode {mode:o} and is to have {wanted:o}, so that the image is the "
                f"same whoever builds it; that cannot be changed: {error.strerror}.\n"
                f"Next: chmod {wanted:o} {path}, as its owner (or use a clone of your own)"
            ) from None


def _seen(folder: Path) -> list[Path]:
    """What the build sees: not what editors, systems and runs of tests leave beside it."""
    return files(folder, folder / "Dockerfile")


def etcd_base(settings: Settings) -> str:
    """The base that etcd is taken from: the configured one, at the configured version."""
    base = settings.image.etcd_base
    pinned = "@" in base or ":" in base.rpartition("/")[2]
    return base if pinned else f"{base}:v{settings.etcd.version}"
