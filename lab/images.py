"""The images that a lab has before anything is pulled: no image registry need be reachable.

The base images have the names that containers/etcd/Dockerfile takes by default, so the same build
runs here and where those names can be pulled.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab import archive, cache, debian, tools
from lab.archive import Image
from lab.commands import Task
from lab.errors import LabError, Report

_ETCD_PROGRAMS = ("etcd", "etcdctl", "etcdutl")
_PYTHON_PACKAGES = (
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libc6",
    "libgcc-s1",
    "libcrypt1",
    "libssl3",
    "zlib1g",
    "libexpat1",
    "libbz2-1.0",
    "liblzma5",
    "libffi8",
    "libsqlite3-0",
    "libuuid1",
    "ca-certificates",
    "netbase",
    "tzdata",
)
# Documentation, and the character sets of iconv, which Python does not use.
_LEFT_OUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/share/ca-certificates",
    "usr/lib/x86_64-linux-gnu/gconv",
)
_HOME = "home/nonroot"
"""Of the image's user, below its root."""
_PASSWD = f"""\
root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/{_HOME}:/sbin/nologin
"""
_GROUP = "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"

_PAUSE = Image("localhost/pause:3.10", entrypoint=("/pause",), user="65535:65535")
_PYTHON = Image(
    "gcr.io/distroless/python3-debian12:nonroot",
    entrypoint=("/usr/bin/python3",),
    user="65532:65532",
    env=(
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        f"SSL_CERT_FILE=/{_BUNDLE}",
        "LANG=C.UTF-8",
    ),
    modes={"tmp": 0o1777, "var/tmp": 0o1777, _HOME: 0o700},
    nonroot=(_HOME,),
)


def load(docker_host: str, report: Report = tools.say) -> None:
    """Load the base images into the Docker Engine at `docker_host`, unless it has them."""
    for image in (etcd_base(report), python_base(report)):
        _load(docker_host, *image, report)


def load_etcd(docker_host: str, minor: str, report: Report = tools.say) -> str:
    """Load the etcd image of another minor in the same way; return its version."""
    _load(docker_host, *etcd_base(report, minor), report)
    return tools.OTHER_ETCDS[minor].version


def _load(docker_host: str, name: str, folder: Path, report: Report) -> None:
    client = tools.path("docker", report)

    # The machine's own Docker may be reached by TLS, of which this one knows nothing.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")}

    def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(client), "--host", docker_host, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )

    def loaded() -> str:
        return docker("image", "inspect", "--format={{.Id}}", name).stdout.strip()

    wanted = (folder / "id").read_text()
    if loaded() == wanted:
        return
    told = docker("load", "--quiet", "--input", str(folder / "image.tar"))
    found = loaded()
    if found != wanted:
        raise LabError(
            f"The Docker Engine at {docker_host} did not take image {name}: it has "
            f"{found or 'none'}, expected is {wanted}. It said: {told.stderr.strip()}",
            "read the Engine's log, dockerd.log",
        )


def pause_tar(report: Report = tools.say) -> Path:
    """Return the archive of the image `localhost/pause:3.10`, for `ctr images import`."""
    program = tools.path("pause", report)

    def fill(rootfs: Path, _: Task) -> None:
        shutil.copy(program, rootfs / "pause")

    return _made("image-pause", _PAUSE, [str(program)], fill, report) / "image.tar"


def etcd_base(report: Report, minor: str = "") -> tuple[str, Path]:
    """Return name and folder of the etcd image, as the etcd project's own: three programs.

    `minor`: of `tools.OTHER_ETCDS`, in the place of the lab's own.
    """
    suffix = f"-{minor}" if minor else ""
    module = tools.OTHER_ETCDS[minor] if minor else tools.ETCD
    programs = tools.ensure([f"{name}{suffix}" for name in _ETCD_PROGRAMS], report)
    image = Image(f"gcr.io/etcd-development/etcd:v{module.version}")

    def fill(rootfs: Path, _: Task) -> None:
        folder = rootfs / "usr/local/bin"
        folder.mkdir(parents=True)
        for program in programs.values():
            shutil.copy(program, folder)

    paths = [str(program) for program in programs.values()]
    return image.name, _made(f"image-etcd{suffix}", image, paths, fill, report)


def python_base(report: Report) -> tuple[str, Path]:
    """Return name and folder of the Python image, made as distroless makes it: of Debian packages.

    It has no shell and no package manager.
    """
    inputs = debian.inputs(_PYTHON_PACKAGES)
    return _PYTHON.name, _made("image-python", _PYTHON, inputs, _fill_python, report)


def _fill_python(rootfs: Path, task: Task) -> None:
    debian.extract(_PYTHON_PACKAGES, rootfs, task)
    certificates = sorted((rootfs / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = rootfs / _BUNDLE
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"".join(file.read_bytes() for file in certificates))
    for left_out in _LEFT_OUT:
        shutil.rmtree(rootfs / left_out, ignore_errors=True)
    for folder in ("tmp", "var/tmp", _HOME, "root", "run", "proc", "sys", "dev"):
        (rootfs / folder).mkdir(parents=True, exist_ok=True)
    for link in ("python3", "python"):
        (rootfs / "usr/bin" / link).unlink(missing_ok=True)
        (rootfs / "usr/bin" / link).symlink_to("python3.11")
    (rootfs / "etc/passwd").write_text(_PASSWD)
    (rootfs / "etc/group").write_text(_GROUP)
    (rootfs / "etc/nsswitch.conf").write_text("hosts: files dns\n")


def _made(
    name: str,
    image: Image,
    inputs: list[str],
    fill: Callable[[Path, Task], None],
    report: Report,
) -> Path:
    """Return the folder with the image's archive and ID; `fill` makes its files where missing."""

    def make(draft: Path) -> None:
        task = Task(name, cache.log_file(name), report)
        task.say(f"making {image.name}")
        rootfs = draft / "rootfs"
        rootfs.mkdir()
        fill(rootfs, task)
        image.write(rootfs, draft)
        shutil.rmtree(rootfs)

    # How an image is put together is written in these two files.
    recipe = (Path(__file__), Path(archive.__file__))
    return cache.folder(name, cache.key(*recipe, *inputs), make, report)
