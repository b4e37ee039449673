"""The one image of all roles: built and pushed, or taken as it is."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

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
        self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        image = settings.image
        repository = f"{image.registry}/{image.repository}"
        if not image.build:
            self.ref = pulumi.Output.from_input(f"{repository}@{image.digest}")
        else:
            built = docker.Image(
                name,
                image_name=f"{repository}:{image.tag or f'v{settings.etcd.version}'}",
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


def etcd_base(settings: Settings) -> str:
    """The base that etcd is taken from: the configured one, at the configured version."""
    base = settings.image.etcd_base
    pinned = "@" in base or ":" in base.rpartition("/")[2]
    return base if pinned else f"{base}:v{settings.etcd.version}"
