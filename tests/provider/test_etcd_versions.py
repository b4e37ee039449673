"""Members of each minor of etcd that may be configured: the supervisor's own process and real etcd.

What the rest of the tests do with one of them, here in short with the others, and from one to the
next on the same disk.
"""

from __future__ import annotations

import os
import secrets
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from containers.etcd.supervisor.birth_mark import transaction
from containers.etcd.supervisor.config import from_environment
from containers.etcd.supervisor.health import Health
from lab import tools
from tests.support.joining import let_it_join
from tests.support.loopback import loopback_etcd
from tests.support.supervisor import Supervisor, eventually, running, supervisors, when_possible

VERSION = {"3.6": tools.ETCD.version, **{m: e.version for m, e in tools.OTHER_ETCDS.items()}}
"""By minor."""


@pytest.fixture(scope="module")
def programs() -> dict[str, dict[str, Path]]:
    """etcd and etcdctl by minor, each pair in a folder of its own."""
    found = tools.ensure(["etcd", "etcdctl", "etcd-3.5", "etcdctl-3.5", "etcd-3.7", "etcdctl-3.7"])
    suffixes = {"3.5": "-3.5", "3.6": "", "3.7": "-3.7"}
    return {
        minor: {name: found[f"{name}{suffix}"] for name in ("etcd", "etcdctl")}
        for minor, suffix in suffixes.items()
    }


@pytest.fixture
def known() -> Iterator[list[Supervisor]]:
    """Supervisors to end."""
    with supervisors() as started:
        yield started


@contextmanager
def v3(
    programs: dict[str, Path], folder: Path, known: list[Supervisor], version: str, size: int
) -> Generator[dict[str, str]]:
    """A discovery service of that version, prepared for some seeds; what their Secret says."""
    service = Supervisor(
        programs, folder, "etcd-discovery-0", role="discovery", etcd_version=version
    )
    known.append(service)
    service.start()
    eventually("the discovery service to be ready", lambda: service.ready)
    token = secrets.token_hex(16)
    service.ctl("put", f"/_etcd/registry/{token}/_config/size", str(size))
    yield {"protocol": "v3", "token": token, "endpoint": service.url}


@contextmanager
def v2(folder: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> Generator[dict[str, str]]:
    """The same by the old protocol: a discovery URL leads to keys of an etcd 3.4."""
    old = {"etcd": tools.path("etcd-3.4"), "etcdctl": tools.path("etcdctl")}
    folder.mkdir()
    with loopback_etcd(old, folder, ["old"]) as etcd:
        with monkeypatch.context() as patched:
            patched.setenv("ETCD_ENABLE_V2", "true")
            etcd.start("old", cluster=["old"])
        eventually("etcd 3.4", lambda: etcd.is_ready("old"))
        (client,) = etcd.endpoints("old")
        url = f"{client}/v2/keys/_etcd/registry/{secrets.token_hex(16)}"
        said = urllib.parse.urlencode({"value": size}).encode()
        request = urllib.request.Request(f"{url}/_config/size", data=said, method="PUT")
        urllib.request.urlopen(request, timeout=5).close()
        yield {"protocol": "v2", "token": url, "endpoint": ""}


def born(
    programs: dict[str, Path],
    folder: Path,
    known: list[Supervisor],
    discovery: dict[str, str],
    version: str,
    size: int,
) -> list[Supervisor]:
    """Seeds that have formed a cluster and let clients in."""
    seeds = [
        Supervisor(
            programs,
            folder / f"seed-{i}",
            f"etcd-seed-{i}",
            discovery,
            role="seed",
            etcd_version=version,
        )
        for i in range(size)
    ]
    known.extend(seeds)
    for seed in seeds:
        seed.start()
    for seed in seeds:
        eventually(f"etcd of {seed.name}", lambda seed=seed: "birth mark" in seed.status()["phase"])
    eventually("a leader", seeds[0].is_led)
    when_possible(lambda: seeds[0].ctl("txn", stdin=transaction("{}")))
    for seed in seeds:
        eventually(f"{seed.name} to be ready", lambda seed=seed: seed.ready)
    return seeds


@pytest.mark.parametrize("minor", ["3.5", "3.7"])
def test_seeds_of_each_minor_are_born_and_a_unit_joins_and_comes_back(
    minor: str,
    programs: dict[str, dict[str, Path]],
    known: list[Supervisor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, version = programs[minor], VERSION[minor]
    service = tmp_path / "discovery"
    discovery = (
        v2(service, monkeypatch, 3) if minor == "3.5" else v3(own, service, known, version, 3)
    )
    with discovery as secret:
        seeds = born(own, tmp_path, known, secret, version, 3)
    unit = Supervisor(
        own, tmp_path / "unit", "etcd-0", cluster_url=seeds[0].url, etcd_version=version
    )
    let_it_join(own, unit, tmp_path, monkeypatch)
    config = from_environment(unit.settings)
    for _ in range(2):
        with running(config, Health(config.metrics_port)) as health:
            eventually("a voter", lambda h=health: h.status()["phase"] == "running as a voter")
            eventually("etcd to be ready", health.ready)
            assert set(unit.members()) == {"etcd-0", "etcd-seed-0", "etcd-seed-1", "etcd-seed-2"}


def test_a_member_goes_on_with_the_next_minor_and_with_no_other(
    programs: dict[str, dict[str, Path]],
    known: list[Supervisor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What `versions.require` refuses ends by itself, and leaves the disk as it was."""
    with v2(tmp_path / "discovery", monkeypatch, 1) as secret:
        (seed,) = born(programs["3.5"], tmp_path, known, secret, VERSION["3.5"], 1)
    before = seed.members()
    seed.ctl("put", "greeting", "hello")

    def start(minor: str) -> None:
        assert seed.stop() == 0
        paths = [str(program.parent) for program in programs[minor].values()]
        seed.env |= {"MEMBER_ETCD_VERSION": VERSION[minor], "PATH": os.pathsep.join(paths)}
        seed.start()

    def goes_on(minor: str) -> None:
        start(minor)
        eventually(f"etcd {minor} to be ready", lambda: seed.ready)
        assert seed.members() == before
        assert seed.ctl("get", "greeting", "--print-value-only").strip() == "hello"

    def ends(minor: str) -> None:
        start(minor)
        eventually(f"etcd {minor} to end", lambda: "etcd ended with" in seed.status()["phase"])

    ends("3.7")
    # Of what 3.5 wrote to its log 3.7 understands nothing: there must be a snapshot behind it.
    seed.env["MEMBER_SNAPSHOT_COUNT"] = "2"
    goes_on("3.6")
    ends("3.5")
    goes_on("3.6")
    goes_on("3.7")
    ends("3.6")
    goes_on("3.7")
